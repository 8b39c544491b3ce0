/** Public layouts of captions, in small: rows of one picture are one sample in each of them. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import {
  collect,
  fakeImage,
  keysOf,
  tarOf,
  temporaryFolder,
  utf8,
  writeFiles,
} from "../../../test/support/data-fixtures.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { bertTokenizer } from "../../text/index.ts";
import { createLoader } from "../loader/index.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";
import type { BadSample, SampleOptions } from "./source.ts";

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
  const pictures = Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`${i}.jpg`, fakeImage(i)]));
  await writeFiles(root, pictures);
});

async function read(spec: string | SourceSpec, options: SampleOptions = {}) {
  const told: BadSample[] = [];
  const placed = await collect(await openSource(spec), { ...options, onBad: (b) => told.push(b) });
  const lines = (kept: boolean): string[] =>
    told.filter((b) => (b.kept ?? false) === kept).map(({ key, reason }) => `${key}: ${reason}`);
  const texts = placed.map(({ sample }) => sample.texts);
  return { placed, texts, bad: lines(false), notes: lines(true) };
}

describe("rows of one picture", () => {
  it("are one sample in Flickr's tables, with any of the marks that divide them", async () => {
    const rows = [
      "0.jpg| 0| a dog",
      "0.jpg| 1| a brown dog",
      "1.jpg| 0| a cat",
      "0.jpg| 2| it runs",
      "2.jpg| 4 no mark",
    ];
    await writeFiles(root, {
      "results.csv": ["image_name| comment_number| comment", ...rows].join("\n"),
      "captions.csv": "image,caption\n0.jpg,a dog\n0.jpg,a brown dog\n1.jpg,a cat\n0.jpg,it runs\n",
      "Flickr8k.token.txt": "0.jpg#0\ta dog\n0.jpg#1\ta brown dog\n1.jpg#0\ta cat\n0.jpg#2\tit runs\n",
    });
    const expected = [["a dog", "a brown dog", "it runs"], ["a cat"]];
    const flickr30k = await read(`${root}/results.csv`);
    expect(flickr30k.texts).toEqual(expected);
    expect(flickr30k.bad).toEqual(["results.csv:5: expected 3 cells, got 2"]);
    expect((await read(`${root}/captions.csv`)).texts).toEqual(expected);
    expect((await read(`tsv:${root}/Flickr8k.token.txt`)).texts).toEqual(expected);
  });

  it("keep what is good: a row without a caption is noted, and bad where its picture has no other", async () => {
    await writeFiles(root, { "holes.csv": "image,caption\n0.jpg,\n0.jpg,a dog\n1.jpg,\n1.jpg, \n9.jpg,a\n9.jpg,b\n" });
    const { placed, texts, bad, notes } = await read(`${root}/holes.csv`);
    expect(texts).toEqual([["a dog"]]);
    expect(keysOf(placed)).toEqual(["holes.csv:2"]);
    const gone = [5, 6].map((row) => expect.stringMatching(`^holes.csv:${row}: .*ENOENT`));
    expect(bad.sort()).toEqual(["holes.csv:3: the caption is missing", "holes.csv:4: the caption is missing", ...gone]);
    expect(notes).toEqual(["holes.csv:1: the caption is missing; its picture has others"]);
  });

  it("stay apart where they have no caption or another label", async () => {
    await writeFiles(root, {
      "boxes.csv": "image,label\n0.jpg,dog\n0.jpg,cat\n0.jpg,cat\n",
      "tags.jsonl": ["dog", "cat", "cat"]
        .map((label, i) => JSON.stringify({ image: "0.jpg", text: `${i}`, label }))
        .join("\n"),
    });
    expect((await read({ type: "csv", path: `${root}/boxes.csv` })).placed).toHaveLength(3);
    expect((await read(`${root}/tags.jsonl`)).texts).toEqual([["0"], ["1", "2"]]);
  });

  it("are found wherever they stand, no caption is lost, and a cursor goes on behind its sample", async () => {
    let run = 0;
    const pictures = fc.array(fc.nat(4), { minLength: 1, maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(pictures, fc.nat(20), async (list, at) => {
        const path = `${root}/any${run++}.jsonl`;
        const rows = list.map((image, i) => JSON.stringify({ image: `${image}.jpg`, caption: `${i}` }));
        await writeFiles(root, { [path.slice(root.length + 1)]: rows.join("\n") });
        const order = [...new Set(list)];
        const expected = order.map((image) => list.flatMap((one, i) => (one === image ? [`${i}`] : [])));
        const { placed, texts, bad, notes } = await read(path);
        expect([texts, bad, notes]).toEqual([expected, [], []]);
        expect(placed.map(({ sample }) => sample.image)).toEqual(order.map(fakeImage));
        const n = at % placed.length;
        expect((await read(path, { cursor: JSON.parse(JSON.stringify(placed[n]!.cursor)) })).texts).toEqual(
          expected.slice(n + 1),
        );
        const shards = await Promise.all([0, 1].map((index) => read(path, { shard: { index, count: 2 } })));
        expect(shards.flatMap((shard) => shard.texts).sort()).toEqual([...expected].sort());
      }),
      { numRuns: 25 },
    );
  });

  it("that follow each other are put together in a table that is not held in memory, and those apart are noted", async () => {
    const filler = "x".repeat(60_000);
    const rows = Array.from({ length: 1200 }, (_, i) => `9.jpg\t${i} ${filler}`);
    const body = ["image\tcaption", "0.jpg\ta", "0.jpg\tb", ...rows, "0.jpg\tc", ""].join("\n");
    await writeFiles(root, { "large.tsv": body });
    const { texts, bad, notes } = await read(`${root}/large.tsv`);
    expect(texts).toEqual([["a", "b"], ["c"]]);
    expect(bad).toHaveLength(1200);
    expect(notes).toEqual([expect.stringMatching(/^large.tsv:1203: .*sort the table by picture/)]);
  });
});

describe("matching on a table with five rows a picture", () => {
  it("takes no caption of a picture for a wrong one of it, in whatever order the rows stand", async () => {
    const words = ["ape", "bee", "cat"].flatMap((animal) => [1, 2, 3, 4, 5].map((n) => `${animal}${n}`));
    const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words]);
    const samples = (await collect(await openSource("synthetic:3x32"))).map(({ sample }) => sample);
    const rows = words.map((word, i) => `p${Math.floor(i / 5)}.png,${word}`);
    const apart = rows.map((_, i) => rows[(i * 7) % rows.length]!);
    await writeFiles(root, {
      ...Object.fromEntries(samples.map(({ image }, i) => [`match/p${i}.png`, image!])),
      "match/metadata.csv": ["image,caption", ...apart].join("\n"),
    });
    const source = await openSource(`${root}/match`);
    const names = new Map((await collect(source)).map(({ sample }) => [sample.key, sample.texts![0]!.slice(0, 3)]));
    expect([...names.values()].sort()).toEqual(["ape", "bee", "cat"]);
    const image = { size: 16, codebookSize: 8, augment: null, mask: null };
    const build = { kind: "pair", image, text: { length: 4, mask: null } } as const;
    const datasets = [{ name: "pairs", batchSize: 12, sources: [{ source }], build, negatives: 0.5, shuffle: 30 }];
    const loader = await createLoader({ seed: 1, datasets, tokenizer });
    let wrong = 0;
    for (let step = 0; step < 10; step++) {
      const { feeds, samples: keys } = await loader.next();
      for (const [row, key] of keys.entries()) {
        const animal = tokenizer.token(Number(feeds.input_ids!.data[row * 4 + 1])).slice(0, 3);
        expect(feeds.itm_labels!.data[row]).toBe(animal === names.get(key) ? 1 : 0);
        if (animal !== names.get(key)) wrong++;
      }
    }
    await loader.close();
    expect(wrong).toBeGreaterThan(20);
  });
});

describe("captions as objects", () => {
  it("give their words: sentences: [{raw}]", async () => {
    const row = { image: "0.jpg", sentences: [{ raw: "a dog", tokens: ["a", "dog"], sentid: 3 }, { raw: "it runs" }] };
    await writeFiles(root, {
      "raw.jsonl": `${JSON.stringify(row)}\n${JSON.stringify({ image: "1.jpg", sentences: [{ tokens: [] }] })}`,
    });
    const { texts, bad } = await read(`${root}/raw.jsonl`);
    expect(texts).toEqual([["a dog", "it runs"]]);
    expect(bad).toEqual(["raw.jsonl:2: expected a caption of type string, got object"]);
  });
});

describe("one JSON file", () => {
  const image = (i: number, split: string, filepath?: string): unknown => ({
    ...(filepath !== undefined && { filepath }),
    sentids: [i],
    filename: `${i}.jpg`,
    imgid: i,
    split,
    sentences: [{ tokens: ["a"], raw: `caption ${i}`, imgid: i, sentid: i }],
  });

  it("in Karpathy's layout is read by split, with COCO's folders and without", async () => {
    await writeFiles(root, {
      "val2014/3.jpg": fakeImage(3),
      "dataset_flickr30k.json": JSON.stringify({ images: [image(0, "train"), image(1, "test")], dataset: "flickr30k" }),
      "dataset_coco.json": JSON.stringify({ images: [image(3, "test", "val2014")], dataset: "coco" }),
    });
    const test = await read(`json:${root}/dataset_flickr30k.json#test`);
    expect(test.placed.map(({ sample }) => sample)).toEqual([
      {
        key: "dataset_flickr30k.json:1",
        image: fakeImage(1),
        texts: ["caption 1"],
        meta: { imgid: 1, split: "test" },
      },
    ]);
    expect((await read({ type: "json", path: `${root}/dataset_flickr30k.json`, split: "train" })).texts).toEqual([
      ["caption 0"],
    ]);
    expect((await read(`${root}/dataset_coco.json`)).placed[0]!.sample.image).toEqual(fakeImage(3));
    await expect(read(`${root}/dataset_flickr30k.json`)).rejects.toThrow(ConfigError);
    await expect(read(`${root}/dataset_flickr30k.json`)).rejects.toThrow(/splits train, test\n.*#train/);
    await expect(read(`json:${root}/dataset_flickr30k.json#val`)).rejects.toThrow(/split val, got none/);
  });

  it("may be a list of rows, as ALBEF and LLaVA have them; COCO's layout is still COCO's", async () => {
    const rows = [
      { image: "0.jpg", caption: "a" },
      { image: "1.jpg", caption: ["b", "c"] },
      { image: "0.jpg", caption: "d" },
      7,
    ];
    const coco = { images: [{ id: 1, file_name: "2.jpg" }], annotations: [{ image_id: 1, caption: "e" }] };
    await writeFiles(root, {
      "rows.json": ` ${JSON.stringify(rows)}`,
      "coco.json": JSON.stringify(coco),
      "odd.json": "5",
    });
    const { placed, texts, bad } = await read(`${root}/rows.json`);
    expect(texts).toEqual([
      ["a", "d"],
      ["b", "c"],
    ]);
    expect(placed[0]!.sample.image).toEqual(fakeImage(0));
    expect(bad).toEqual(["rows.json:3: expected a JSON object"]);
    expect((await read(`${root}/coco.json`)).texts).toEqual([["e"]]);
    await expect(read(`json:${root}/odd.json`)).rejects.toThrow(DataError);
    await writeFiles(root, {
      "bytes.json": new Uint8Array([...utf8('[{"text":"'), 0xff, ...utf8('"},{"text":"good"}]')]),
    });
    const damaged = await read(`${root}/bytes.json`);
    expect([damaged.texts, damaged.bad]).toEqual([[["good"]], ["bytes.json:0: the row is not valid UTF-8"]]);
  });
});

describe("Localized Narratives", () => {
  it("name their pictures by the ids of their data sets; several narratives of one are one sample", async () => {
    const row = (dataset_id: string, image_id: string, caption: string): string =>
      JSON.stringify({
        dataset_id,
        image_id,
        annotator_id: 1,
        caption,
        timed_caption: [{ utterance: "a" }],
        traces: [[]],
      });
    const rows = [
      row("open_images_train", "0", "one"),
      row("mscoco_val2017", "139", "two"),
      row("open_images_train", "0", "three"),
    ];
    await writeFiles(root, { "narratives.jsonl": rows.join("\n"), "000000000139.jpg": fakeImage(7) });
    const { placed, texts } = await read(`${root}/narratives.jsonl`);
    expect(texts).toEqual([["one", "three"], ["two"]]);
    expect(placed.map(({ sample }) => sample.image)).toEqual([fakeImage(0), fakeImage(7)]);
  });
});

describe("Conceptual Captions", () => {
  it("have no header: a caption and an address, in either order", async () => {
    const server = createServer((request, response) => {
      const found = /^\/(\d)\.jpg$/.exec(request.url!);
      const body = found ? fakeImage(Number(found[1])) : utf8("gone");
      response.writeHead(found ? 200 : 404, { "content-length": body.length });
      response.end(request.method === "HEAD" ? undefined : body);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [a, b, gone] = [`${address}/0.jpg`, `${address}/1.jpg`, `${address}/gone.jpg`];
    await writeFiles(root, {
      "cc3m.tsv": `a dog "runs\t${a}\na cat\t${b}\nx\t${gone}\n`,
      "cc12m.tsv": `${a}\ta dog "runs\n${b}\ta cat\n${gone}\tx\n`,
    });
    for (const name of ["cc3m.tsv", "cc12m.tsv"]) {
      const { placed, texts, bad } = await read(`${root}/${name}`);
      expect(texts).toEqual([['a dog "runs'], ["a cat"]]);
      expect(placed.map(({ sample }) => sample.image)).toEqual([fakeImage(0), fakeImage(1)]);
      expect(bad).toEqual([expect.stringMatching(`^${name}:3: .*gone.jpg.*404`)]);
    }
    server.close();
  });
});

describe("a WebDataset that the Hub's viewer converted", () => {
  const file = (columns: { name: string; data: unknown[] }[]): Uint8Array => {
    const parts = columns.flatMap(({ name, data }) =>
      data.some((cell) => cell instanceof Uint8Array)
        ? [
            { name, repetition_type: "OPTIONAL" as const, num_children: 2 },
            { name: "bytes", type: "BYTE_ARRAY" as const, repetition_type: "OPTIONAL" as const },
            {
              name: "path",
              type: "BYTE_ARRAY" as const,
              converted_type: "UTF8" as const,
              repetition_type: "OPTIONAL" as const,
            },
          ]
        : [
            {
              name,
              type: "BYTE_ARRAY" as const,
              converted_type: "UTF8" as const,
              repetition_type: "OPTIONAL" as const,
            },
          ],
    );
    const schema = [{ name: "root", num_children: columns.length }, ...parts];
    const columnData = columns.map(({ name, data }) => ({
      name,
      data: data.some((cell) => cell instanceof Uint8Array)
        ? data.map((bytes) => bytes && { bytes, path: undefined })
        : data,
    }));
    return new Uint8Array(parquetWriteBuffer({ schema, columnData: columnData as never }));
  };

  it("is read by its jpg, png, txt and json columns", async () => {
    const keys = { name: "__key__", data: ["a", "b", "c"] };
    const jpg = { name: "jpg", data: [fakeImage(0), undefined, fakeImage(2)] };
    const png = { name: "png", data: [undefined, fakeImage(1), undefined] };
    const json = { name: "json", data: ['{"caption":"j0","id":1}', '{"caption":"j1","label":4}', "[]"] };
    await writeFiles(root, {
      "txt.parquet": file([keys, jpg, { name: "txt", data: ["t0", "t1", "t2"] }, json]),
      "json.parquet": file([keys, jpg, png, json]),
    });
    expect((await read(`${root}/txt.parquet`)).texts).toEqual([["t0"], ["t2"]]);
    const { placed, texts, bad } = await read(`${root}/json.parquet`);
    expect(texts).toEqual([["j0"], ["j1"]]);
    expect(placed.map(({ sample }) => [sample.image, sample.label])).toEqual([
      [fakeImage(0), undefined],
      [fakeImage(1), 4],
    ]);
    expect(bad).toEqual(["json.parquet:2: json: expected an object"]);
  });
});

describe("a folder that holds several kinds of data", () => {
  const notesOf = async (files: Record<string, Uint8Array | string>): Promise<string[]> => {
    const folder = await temporaryFolder();
    await writeFiles(folder, files);
    return (await read(folder)).notes;
  };

  it("says what is not read beside shards, and leaves what goes with a shard alone", async () => {
    const tar = await tarOf({ "a.txt": "words" });
    const kinds = { "0.tar": tar, "1.tar": tar, "0.parquet": "its rows", "0_stats.json": "{}", "x.jpg": fakeImage(0) };
    const aside = { "in/y.jpg": fakeImage(1), "in/z.tar": tar, "metadata.csv": "file_name\nx.jpg\n" };
    const why = "0.tar and 1 more of its kind are";
    expect(await notesOf({ ...kinds, ...aside })).toEqual([
      `metadata.csv: is not read: ${why}`,
      `in/z.tar: is not read: ${why}`,
      `in/y.jpg: is not read, nor are 1 more pictures: ${why}`,
    ]);
    expect(await notesOf({ "0.tar": tar, "0.parquet": "its rows", "0_stats.json": "{}" })).toEqual([]);
  });

  it("says which tables and pictures a table leaves aside", async () => {
    const [table, row] = ["file_name,text\nx.jpg,words\n", '{"file_name":"x.jpg","text":"words"}\n'];
    const pictures = { "x.jpg": fakeImage(0), "in/x.jpg": fakeImage(1), "out/x.jpg": fakeImage(2) };
    const all = { ...pictures, "metadata.jsonl": row, "metadata.csv": table, "in/metadata.jsonl": row };
    expect(await notesOf(all)).toEqual([
      "in/metadata.jsonl: is not read: metadata.jsonl is",
      "metadata.csv: is not read: metadata.jsonl is",
    ]);
    expect(await notesOf({ ...pictures, "in/metadata.csv": table })).toEqual([
      "out/x.jpg: is not read, nor are 1 more pictures: in/metadata.csv is",
    ]);
  });
});

describe("parquet of the Hub's library", () => {
  const labelled = async (kvMetadata: { key: string; value: string }[]): Promise<unknown[]> => {
    const columnData = [
      { name: "text", data: ["a", "b", "c", "d"] },
      { name: "label", data: [1, 0, -1, 7], type: "INT32" as const },
    ];
    await writeFiles(root, { "classes.parquet": new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata })) });
    return (await read(`${root}/classes.parquet`)).placed.map(({ sample }) => sample.label);
  };

  it("has names for the numbers of its classes", async () => {
    const feature = { names: ["cat", "dog"], _type: "ClassLabel" };
    const value = JSON.stringify({ info: { features: { label: feature } } });
    expect(await labelled([{ key: "huggingface", value }])).toEqual(["dog", "cat", undefined, 7]);
  });

  it.each(["{", "[]", '{"info":{"features":{"label":{"names":3}}}}'])("or keeps the numbers: %s", async (value) => {
    expect(await labelled([{ key: "huggingface", value }])).toEqual([1, 0, -1, 7]);
  });
});
