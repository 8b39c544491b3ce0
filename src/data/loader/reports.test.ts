/** What a loader tells beside its batches: bad samples by source, texts that say nothing, files that changed. */
import { afterEach, describe, expect, it } from "vitest";
import { listSource, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { ConfigError } from "../../errors.ts";
import { bertTokenizer } from "../../text/index.ts";
import { type BadSample, badList, openSource, type Sample, type Source } from "../sources/index.ts";
import { createLoader, type Loader, type LoaderOptions, type LoaderState } from "./loader.ts";
import { distinctNames, renamed } from "./source-names.ts";
import type { TextCounts } from "./text-counts.ts";

const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "square"]);
const loaders: Loader[] = [];
afterEach(async () => {
  await Promise.all(loaders.splice(0).map((loader) => loader.close()));
});

const open = async (options: LoaderOptions): Promise<Loader> => {
  const loader = await createLoader(options);
  loaders.push(loader);
  return loader;
};

const textsOf = (...texts: string[]): Sample[] => texts.map((text, i) => ({ key: `${i}`, texts: [text] }));

/** One data set of texts, a row each. */
const texts = (source: Source, batchSize = 4): LoaderOptions => ({
  seed: 1,
  tokenizer,
  datasets: [
    {
      name: "texts",
      batchSize,
      sources: [{ source }],
      build: { kind: "text", text: { length: 8, mask: { maxTargets: 2 } } },
      pack: null,
      shuffle: 0,
    },
  ],
});

describe("distinctNames", () => {
  it("numbers the names that come again, and gives no number that is a name already", () => {
    expect(distinctNames(["a", "b", "a", "a", "a#2", "b"])).toEqual(["a", "b", "a#3", "a#4", "a#2", "b#2"]);
  });
});

describe("pictures with more regions than a batch has", () => {
  it("are used, and what is left out is noted", async () => {
    const regions = {
      count: 2,
      width: 1,
      features: Float32Array.of(1, 2),
      boxes: Float32Array.of(0, 0, 0.5, 1, 0.5, 0, 1, 1),
    };
    const build = {
      kind: "regions",
      tags: false,
      text: { length: 8, mask: null },
      regions: { most: 1, features: 1, box: 5, mean: false, masked: null, classes: 0, grid: null },
    } as const;
    const bad: BadSample[] = [];
    const source = listSource("seen", [{ key: "1", texts: ["red"], regions }]);
    const datasets = [{ name: "regions", batchSize: 1, sources: [{ source }], build, shuffle: 0 }];
    const loader = await open({ seed: 1, tokenizer, datasets, onBad: (one) => bad.push(one) });
    expect(Array.from((await loader.next(1)).feeds.region_features!.data, Number)).toEqual([1]);
    expect(bad[0]).toMatchObject({ key: "1", kept: true, reason: "regions left out: a batch has 1 of a picture" });
  });
});

describe("two sources of one name", () => {
  const broken = (): Source =>
    listSource(
      "pictures",
      Array.from({ length: 6 }, (_, i) => ({
        key: `${i}`,
        texts: ["red"],
        ...(i > 0 && { image: new Uint8Array([1, 2, 3]) }),
      })),
    );

  it("keep their bad samples apart, whether reading or decoding finds them", async () => {
    const list = badList();
    const bad: BadSample[] = [];
    const build = { kind: "dvae", size: 8, augment: null } as const;
    const sources = [{ source: broken() }, { source: broken() }];
    const loader = await open({
      seed: 1,
      datasets: [{ name: "pictures", batchSize: 8, sources, build }],
      onBad: (one) => {
        bad.push(one);
        list.onBad(one);
      },
    });
    await expect(loader.next()).rejects.toThrow(/expected usable samples/);
    expect(new Set(bad.map(({ source }) => source))).toEqual(new Set(["pictures", "pictures#2"]));
    for (const name of ["pictures", "pictures#2"])
      expect(bad.find(({ source, key }) => source === name && key === "0")?.reason).toBe("the image is missing");
    expect(list.count).toBeGreaterThan(6);
  });

  it("report under the name that they were given", async () => {
    const source = renamed(await openSource({ type: "text", path: await textFile("good\n\u0000bad") }), "other");
    const bad: BadSample[] = [];
    const keys: string[] = [];
    for await (const { sample } of source.samples({ onBad: (one) => bad.push(one) })) keys.push(sample.key);
    expect(keys).toEqual(["c.txt:1"]);
    expect(bad).toEqual([{ source: "other", key: "c.txt:2", reason: "the line holds a NUL character" }]);
  });
});

async function textFile(text: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFiles(folder, { "c.txt": text });
  return `${folder}/c.txt`;
}

describe("onTexts", () => {
  const told = async (options: LoaderOptions, batches = 3): Promise<TextCounts[]> => {
    const counts: TextCounts[] = [];
    const loader = await open({ ...options, onTexts: (one) => counts.push(one) });
    for (let i = 0; i < batches; i++) await loader.next();
    return counts;
  };
  const source = listSource("list", textsOf("red square", "red zebra", "quagga okapi", "zebra"));

  it("tells of the first batch alone: unknown tokens, and rows in which nothing can be masked", async () => {
    const expected = { dataset: "texts", step: 1, rows: 4, tokens: 7, unknown: 4, unknownShare: 4 / 7, unmaskable: 2 };
    expect(await told(texts(source))).toEqual([expected]);
  });

  it("tells of texts that are all unknown", async () => {
    const [counts] = await told(texts(listSource("list", textsOf("zebra", "okapi quagga")), 2));
    expect(counts).toMatchObject({ unknownShare: 1, rows: 2, unmaskable: 2 });
  });
});

describe("a state", () => {
  const lines = (count: number): string => Array.from({ length: count }, () => "red square").join("\n");
  const stateOf = async (path: string): Promise<LoaderState> => {
    const loader = await open(texts(await openSource(path)));
    return JSON.parse(JSON.stringify((await loader.next()).state));
  };

  it("goes on with the files it was made with", async () => {
    const path = await textFile(lines(9));
    const state = await stateOf(path);
    expect(state.files?.["texts/0"]).toMatchObject({ files: 1, bytes: lines(9).length });
    const loader = await open({ ...texts(await openSource(path)), state });
    expect((await loader.next()).samples).toEqual(["c.txt:5", "c.txt:6", "c.txt:7", "c.txt:8"]);
  });

  it("is refused where the files changed, unless somebody wants to be told", async () => {
    const path = await textFile(lines(9));
    const state = await stateOf(path);
    await writeFiles(path.slice(0, -"/c.txt".length), { "c.txt": lines(12) });
    const changed = { ...texts(await openSource(path)), state };
    await expect(createLoader(changed)).rejects.toThrow(ConfigError);
    await expect(createLoader(changed)).rejects.toThrow(/got other files: texts\/0: c\.txt: 98 bytes, now 131/);
    const told: string[] = [];
    const loader = await open({ ...changed, onChanged: (list) => told.push(...list) });
    expect(told).toEqual(["texts/0: c.txt: 98 bytes, now 131"]);
    expect((await loader.next()).state.files?.["texts/0"]?.bytes).toBe(131);
  });

  it("of a run that kept no sizes goes on", async () => {
    const path = await textFile(lines(9));
    const { files: _, ...state } = await stateOf(path);
    await expect(open({ ...texts(await openSource(path)), state })).resolves.toBeDefined();
  });
});
