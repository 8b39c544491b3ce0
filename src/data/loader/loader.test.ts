import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { listSource } from "../../../test/support/data-fixtures.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { bertTokenizer } from "../../text/index.ts";
import { type BadSample, openSource, type Sample, type Source } from "../sources/index.ts";
import { chooseDataset } from "./choose.ts";
import type { DatasetOptions } from "./dataset.ts";
import { createLoader, type LoadedBatch, type Loader, type LoaderOptions } from "./loader.ts";
import { sourceOf } from "./memory.ts";
import { passBatches } from "./pass.ts";
import { pixelCache } from "./pixel-cache.ts";

const WORDS =
  "a an large small red green blue yellow orange purple pink brown black white gray circle square triangle diamond ring cross on background to the left of above".split(
    " ",
  );
const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...new Set(WORDS)]);
const image = { size: 16, codebookSize: 8, augment: {}, mask: { rows: 4, columns: 4, total: 6, minBlock: 2 } };
const text = { length: 16, mask: { maxTargets: 6 } };
const loaders: Loader[] = [];
let samples: Sample[];
/** As `samples`, with every fifth picture damaged. */
let damaged: Sample[];

beforeAll(async () => {
  samples = [];
  for await (const { sample } of (await openSource("synthetic:40x20")).samples()) samples.push(sample);
  damaged = samples.map((sample, i) => (i % 5 === 3 ? { ...sample, image: sample.image!.slice(0, 60) } : sample));
});
afterEach(async () => {
  await Promise.all(loaders.splice(0).map((loader) => loader.close()));
});

const open = async (options: LoaderOptions): Promise<Loader> => {
  const loader = await createLoader(options);
  loaders.push(loader);
  return loader;
};

const take = async (loader: Loader, count: number): Promise<LoadedBatch[]> => {
  const batches: LoadedBatch[] = [];
  for (let i = 0; i < count; i++) batches.push(await loader.next());
  return batches;
};

/** What a batch holds, with the bytes of its tensors as text: quick to compare, and a difference names the field. */
function bits({ feeds, ...rest }: LoadedBatch): unknown {
  const text = ({ dtype, shape, data }: LoadedBatch["feeds"][string]): string =>
    `${dtype} ${shape} ${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")}`;
  return { ...rest, feeds: Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, text(tensor)])) };
}

/** The batch of which these are the rows, worker by worker. */
function joinBatches(parts: readonly LoadedBatch[]): LoadedBatch {
  const [first] = parts;
  const feeds = Object.entries(first!.feeds).map(([name, { dtype, shape }]) => {
    const all = parts.flatMap((part) => Array.from(part.feeds[name]!.data as Float32Array));
    const data = new (first!.feeds[name]!.data.constructor as Float32ArrayConstructor)(all);
    return [name, { dtype, shape: [shape[0]! * parts.length, ...shape.slice(1)], data }];
  });
  return { ...first!, samples: parts.flatMap((part) => part.samples), feeds: Object.fromEntries(feeds) };
}

/** Three data sets, as in the joint stage. */
const joint = (source: Source): DatasetOptions[] => [
  { name: "pairs", ratio: 0.6, batchSize: 7, sources: [{ source }], build: { kind: "pair", image, text }, shuffle: 16 },
  {
    name: "images",
    ratio: 0.2,
    batchSize: 5,
    sources: [{ source }, { source, weight: 2 }],
    build: { kind: "image", image },
    shuffle: 8,
  },
  { name: "texts", ratio: 0.2, batchSize: 4, sources: [{ source }], build: { kind: "text", text }, shuffle: 4 },
];

const options = (extra: Partial<LoaderOptions> = {}): LoaderOptions => ({
  seed: 11,
  datasets: joint(listSource("damaged", damaged)),
  tokenizer,
  ...extra,
});

describe("createLoader", () => {
  it("gives the same batches, to the bit, whatever the number of threads and of batches ahead", async () => {
    const bad: string[] = [];
    const expected = await take(await open(options({ prefetch: 0, onBad: ({ key }) => bad.push(key) })), 24);
    expect(new Set(expected.map(({ dataset }) => dataset)).size).toBe(3);
    expect(bad.length).toBeGreaterThan(3);
    for (const workers of [0, 1, 4]) {
      const got = await take(await open(options({ workers, prefetch: 3 })), 24);
      for (const [i, batch] of got.entries()) expect(bits(batch)).toEqual(bits(expected[i]!));
    }
  });

  it("goes on from the state of any batch with the batches that would have come", async () => {
    const expected = await take(await open(options({ workers: 2 })), 20);
    for (const at of [0, 3, 9, 14]) {
      const state = JSON.parse(JSON.stringify(expected[at]!.state));
      const got = await take(await open(options({ state, workers: at % 3 })), 19 - at);
      for (const [i, batch] of got.entries()) expect(bits(batch)).toEqual(bits(expected[at + 1 + i]!));
    }
  });

  it("picks the data set of each step by seed and step alone", async () => {
    for (const { step, dataset } of await take(await open(options()), 20))
      expect(dataset).toBe(["pairs", "images", "texts"][chooseDataset(11, step, [0.6, 0.2, 0.2])]);
  });

  it("leaves out what cannot be decoded, lists it, and still fills every batch", async () => {
    const bad: BadSample[] = [];
    const loader = await open(options({ onBad: (b) => bad.push(b), workers: 1 }));
    const keys = new Set(damaged.filter((_, i) => i % 5 === 3).map(({ key }) => key));
    for (const { samples: names, feeds, dataset } of await take(loader, 20)) {
      const size = { pairs: 7, images: 5, texts: 4 }[dataset]!;
      expect(names).toHaveLength(size);
      for (const { shape } of Object.values(feeds)) expect(shape[0]).toBe(size);
      if (dataset !== "texts") expect(names.filter((name) => keys.has(name))).toEqual([]);
    }
    expect(new Set(bad.map(({ key }) => key))).toEqual(keys);
    expect(bad[0]).toEqual({
      source: "damaged",
      key: bad[0]!.key,
      reason: expect.stringMatching(/expected a whole png image/),
    });
  });

  it("visits every good sample once an epoch, and others of its block in the place of a bad one", async () => {
    const build = { kind: "image", image } as const;
    const keysOf = async (list: readonly Sample[]): Promise<string[]> => {
      const sources = [{ source: listSource("images", list) }];
      const loader = await open({ seed: 1, datasets: [{ name: "images", batchSize: 8, sources, build, shuffle: 16 }] });
      return (await take(loader, 5)).flatMap((batch) => batch.samples);
    };
    const whole = await keysOf(samples);
    expect(whole.toSorted()).toEqual(samples.map(({ key }) => key).sort());
    const isBad = new Map(damaged.map(({ key }, i) => [key, i % 5 === 3]));
    for (const [place, key] of (await keysOf(damaged)).entries())
      if (isBad.get(whole[place]!)) {
        const block = samples.slice(16 * Math.floor(place / 16), 16 * (Math.floor(place / 16) + 1));
        expect(isBad.get(key)).toBe(false);
        expect(block.map((sample) => sample.key)).toContain(key);
      } else expect(key).toBe(whole[place]);
  });

  it("goes on with the blocks that follow where a whole block is bad", async () => {
    const build = { kind: "image", image } as const;
    const broken = samples.map((sample, i) => (i < 24 ? { ...sample, image: new Uint8Array([1, 2, 3]) } : sample));
    const bad: BadSample[] = [];
    for (const count of [1, 2]) {
      const parts = Array.from({ length: count }, async (_, index) => {
        const sources = [{ source: listSource("images", broken) }];
        const datasets = [{ name: "images", batchSize: 16, sources, build, shuffle: 8 }];
        const loader = await open({ seed: 1, datasets, shard: { index, count }, onBad: (b) => bad.push(b) });
        return (await loader.next()).samples;
      });
      const keys = (await Promise.all(parts)).flat();
      expect(keys).toHaveLength(16);
      for (const key of keys) expect(Number(key)).toBeGreaterThanOrEqual(24);
    }
    expect(new Set(bad.map(({ key }) => Number(key)))).toEqual(new Set(Array.from({ length: 24 }, (_, i) => i)));
  });

  it("gives the same batches from memory with kept pictures as a source with an index gives", async () => {
    const streamed = options({ datasets: joint(sourceOf("all", damaged)) });
    const expected = await take(await open(streamed), 20);
    const pixels = pixelCache(1e9);
    for (const [workers, cache] of [
      [0, pixels],
      [0, pixelCache(5000)],
      [1, pixels],
      [1, pixelCache(1e9)],
    ] as const) {
      const held = streamed.datasets.map((dataset) => ({
        ...dataset,
        ...(dataset.name !== "texts" && { memoryBytes: 1e9 }),
      }));
      const got = await take(await open({ ...streamed, datasets: held, workers, pixels: cache }), 20);
      for (const [i, batch] of got.entries()) expect(bits(batch)).toEqual(bits(expected[i]!));
    }
  });

  it("streams a source that does not fit into its memory", async () => {
    const datasets = joint(sourceOf("all", samples)).map((dataset) => ({ ...dataset, memoryBytes: 3000 }));
    expect(await take(await open(options({ datasets })), 5)).toEqual(
      await take(await open(options({ datasets: joint(sourceOf("all", samples)) })), 5),
    );
  });

  it("gives one, two and four workers the rows of one batch, also behind bad samples and from any state", async () => {
    const even = (source: Source): DatasetOptions[] =>
      joint(source).map((dataset) => ({ ...dataset, batchSize: 8, negatives: 0.4 }));
    const shared = options({ datasets: even(listSource("damaged", damaged)) });
    const whole = await take(await open(shared), 12);
    for (const count of [2, 4])
      for (const [at, threads] of [
        [-1, 0],
        [4, 1],
      ] as const) {
        const state = at < 0 ? undefined : JSON.parse(JSON.stringify(whole[at]!.state));
        const parts = await Promise.all(
          Array.from({ length: count }, async (_, index) => {
            const loader = await open({
              ...shared,
              shard: { index, count },
              state,
              workers: index === 0 ? threads : 0,
            });
            return take(loader, 11 - at);
          }),
        );
        for (const [i, expected] of whole.slice(at + 1).entries()) {
          const joined = joinBatches(parts.map((part) => part[i]!));
          expect(bits(joined)).toEqual(bits(expected));
        }
      }
    const fromFour = await open({ ...shared, shard: { index: 1, count: 4 } });
    const { state } = (await take(fromFour, 6)).at(-1)!;
    for (const [i, batch] of (await take(await open({ ...shared, state }), 4)).entries())
      expect(bits(batch)).toEqual(bits(whole[6 + i]!));
  });

  it("reads what it has always read: the order of one worker is part of every old run", async () => {
    const sources = [{ source: sourceOf("all", samples) }, { source: sourceOf("twice", samples), weight: 2 }];
    const datasets = [{ name: "images", batchSize: 8, sources, build: { kind: "image", image } as const, shuffle: 16 }];
    const [first, second] = await take(await open({ seed: 11, datasets }), 2);
    expect(first!.samples.join(" ")).toBe("32 22 9 34 39 8 38 16");
    expect(second!.samples.join(" ")).toBe("35 29 5 3 12 24 1 36");
  });

  it("refuses a batch that workers cannot share evenly", async () => {
    await expect(open(options({ shard: { index: 0, count: 2 } }))).rejects.toThrow(/pairs: expected a batch .* got 7/);
  });

  it("reads texts in memory in another order of documents every epoch, so that no source comes last", async () => {
    const [first, second] = WORDS as [string, string];
    const many = [first, second].flatMap((word, source) =>
      Array.from({ length: 40 }, (_, i) => ({
        key: `${source}.${i}`,
        texts: [word],
        meta: { document: `${source}.${i}` },
      })),
    );
    const build = { kind: "text", text: { ...text, length: 8 } } as const;
    const sources = [{ source: listSource("all", many) }];
    const wordsOf = async (memoryBytes: number): Promise<Set<string>> => {
      const dataset = { name: "texts", batchSize: 4, sources, build, shuffle: 4, pack: {}, memoryBytes };
      const [batch] = await take(await open({ seed: 1, datasets: [dataset], tokenizer }), 1);
      return new Set(Array.from(batch!.feeds.input_ids!.data as Int32Array, (id) => tokenizer.token(id)));
    };
    expect([...(await wordsOf(0))]).not.toContain(second);
    expect([...(await wordsOf(1e9))]).toEqual(expect.arrayContaining([first, second]));
  });

  it("packs texts into full rows unless told not to", async () => {
    const build = { kind: "text", text: { ...text, length: 48 } } as const;
    const texts = { name: "texts", batchSize: 6, sources: [{ source: listSource("all", samples) }], build, shuffle: 0 };
    const fill = async (dataset: DatasetOptions): Promise<number> => {
      const [batch] = await take(await open({ seed: 1, datasets: [dataset], tokenizer }), 1);
      return (batch!.feeds.attention_mask!.data as Int32Array).reduce((n, bit) => n + bit, 0);
    };
    expect(await fill(texts)).toBeGreaterThan(await fill({ ...texts, pack: null }));
  });

  it("makes no negative of an equal caption, and about the share that was asked for", async () => {
    const source = listSource("all", samples);
    const datasets: DatasetOptions[] = [
      { name: "pairs", batchSize: 40, sources: [{ source }], build: { kind: "pair", image, text }, negatives: 0.5 },
    ];
    let negatives = 0;
    for (const { feeds, samples: names } of await take(await open({ seed: 4, datasets, tokenizer }), 10)) {
      for (const [row, key] of names.entries()) {
        const own = tokenizer.encode(samples[Number(key)]!.texts![0]!, {
          maxLength: 16,
          padding: "max_length",
        }).inputIds;
        const got = (feeds.input_ids!.data as Int32Array).slice(row * 16, row * 16 + 16);
        const isOwn = own.every((id, i) => id === got[i]);
        expect(feeds.itm_labels!.data[row]).toBe(isOwn ? 1 : 0);
        if (!isOwn) negatives++;
      }
    }
    expect(Math.abs(negatives - 200)).toBeLessThan(4 * Math.sqrt(400 * 0.25));
  });

  it("stops at a source that fails, in the order of the batches", async () => {
    const broken: Source = {
      name: "broken",
      async *samples() {
        for (const sample of samples.slice(0, 12)) yield { sample, cursor: sample.key };
        throw new DataError("broken: the archive ends");
      },
    };
    const build = { kind: "image", image } as const;
    for (const workers of [0, 1]) {
      const datasets = [{ name: "images", batchSize: 5, sources: [{ source: broken }], build, shuffle: 2 }];
      const loader = await open({ seed: 1, datasets, workers, prefetch: 4 });
      await take(loader, 2);
      await expect(loader.next()).rejects.toThrow("broken: the archive ends");
    }
  });

  it("stops where no sample at all can be used", async () => {
    const source = listSource(
      "all",
      samples.map((sample) => ({ ...sample, image: new Uint8Array([1, 2, 3]) })),
    );
    const datasets = [
      { name: "images", batchSize: 4, sources: [{ source }], build: { kind: "image", image } as const },
    ];
    const loader = await open({ seed: 1, datasets });
    await expect(loader.next()).rejects.toThrow(/images: expected usable samples, got \d+ bad ones in a row/);
  });

  it("rejects at once with the reason of an abort", async () => {
    for (const workers of [0, 1]) {
      const abort = new AbortController();
      const loader = await open(options({ workers, signal: abort.signal }));
      await loader.next();
      const pending = take(loader, 1000);
      abort.abort(new Error("enough"));
      await expect(pending).rejects.toThrow("enough");
      await expect(loader.next()).rejects.toThrow("enough");
    }
  });

  it("refuses a state of another run, and options that cannot be", async () => {
    const loader = await open(options());
    const { state } = await loader.next();
    await expect(createLoader(options({ seed: 12, state }))).rejects.toThrow(/seed 11, got 12/);
    await expect(
      createLoader(options({ state, datasets: joint(listSource("d", damaged)).slice(0, 1) })),
    ).rejects.toThrow(ConfigError);
    await expect(createLoader(options({ tokenizer: undefined }))).rejects.toThrow(/expected a tokenizer/);
    await expect(createLoader(options({ datasets: [] }))).rejects.toThrow(ConfigError);
    await expect(loader.next(7)).rejects.toThrow(/step 2, got 7/);
  });
});

describe("passBatches", () => {
  it("gives every sample once and in order, the last batch as it comes", async () => {
    const build = { kind: "image", image: { ...image, augment: null, mask: null, labels: true } } as const;
    for (const workers of [0, 2]) {
      const pass = passBatches({
        name: "all",
        sources: [{ source: listSource("all", samples) }],
        build,
        batchSize: 16,
        workers,
      });
      const seen: string[][] = [];
      for await (const { samples: names, feeds } of pass) {
        seen.push([...names]);
        expect(feeds.pixel_values!.shape).toEqual([names.length, 3, 16, 16]);
        expect([...feeds.labels!.data]).toEqual(names.map((name) => samples[Number(name)]!.label));
      }
      expect(seen.map((names) => names.length)).toEqual([16, 16, 8]);
      expect(seen.flat()).toEqual(samples.map(({ key }) => key));
    }
  });

  it("leaves bad samples out, and goes on behind a batch of nothing else", async () => {
    const build = { kind: "image", image: { ...image, augment: null, mask: null } } as const;
    const broken = samples.map((sample, i) => (i >= 4 && i < 13 ? { ...sample, image: new Uint8Array(3) } : sample));
    const bad: string[] = [];
    const sources = [{ source: listSource("all", broken) }];
    const seen: string[][] = [];
    for await (const { samples: names, feeds, step } of passBatches({
      name: "all",
      sources,
      build,
      batchSize: 4,
      onBad: ({ key }) => bad.push(key),
    })) {
      seen.push([...names]);
      expect(step).toBe(seen.length);
      expect(feeds.pixel_values!.shape[0]).toBe(names.length);
    }
    expect(seen.flat()).toEqual(samples.filter((_, i) => i < 4 || i >= 13).map(({ key }) => key));
    expect(bad).toEqual(samples.slice(4, 13).map(({ key }) => key));
    expect(seen.map((names) => names.length)).toEqual([4, 3, 4, 4, 4, 4, 4, 4]);
  });
});
