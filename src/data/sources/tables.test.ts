import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, keysOf, temporaryFolder, utf8, writeFiles } from "../../../test/support/data-fixtures.ts";
import { ConfigError, DataError } from "../../errors.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";
import type { BadSample, Sample } from "./source.ts";

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
  await writeFiles(root, { "img/0.jpg": fakeImage(0), "img/1.jpg": fakeImage(1), "img/2.jpg": fakeImage(2) });
});

async function read(spec: string | SourceSpec): Promise<{ samples: Sample[]; bad: string[] }> {
  const bad: BadSample[] = [];
  const placed = await collect(await openSource(spec), { onBad: (b) => bad.push(b) });
  return { samples: placed.map(({ sample }) => sample), bad: bad.map(({ key, reason }) => `${key} ${reason}`) };
}

describe("jsonlSource", () => {
  it("reads images by path, captions and the rest as meta", async () => {
    const lines = ['{"file_name":"img/0.jpg","text":"a","id":5}', "", '{"text":["b","c"],"label":2}'];
    await writeFiles(root, { "a.jsonl": lines.join("\n") });
    expect((await read(`${root}/a.jsonl`)).samples).toEqual([
      { key: "a.jsonl:1", image: fakeImage(0), texts: ["a"], meta: { id: 5 } },
      { key: "a.jsonl:3", texts: ["b", "c"], label: 2 },
    ]);
  });

  it("lists bad lines", async () => {
    const lines = utf8('{"text":"a"\n[1]\n{"text":7}\n{"image":3}\n{"text":""}\n{"text":"ok"}\n');
    await writeFiles(root, { "bad.jsonl": new Uint8Array([...lines, 0x22, 0xff, 0x22]) });
    const { samples, bad } = await read(`${root}/bad.jsonl`);
    expect(samples).toHaveLength(1);
    expect(bad).toHaveLength(6);
    expect(bad[5]).toBe("bad.jsonl:7 the line is not valid UTF-8");
  });
});

describe("jsonlSource on JSON as Python writes it", () => {
  const rows = async (...lines: string[]): ReturnType<typeof read> => {
    await writeFiles(root, { "py.jsonl": lines.join("\n") });
    return read(`${root}/py.jsonl`);
  };

  it("reads NaN as missing, and keeps whole numbers that a double cannot hold", async () => {
    const { samples, bad } = await rows(
      '{"text": "a", "score": NaN, "far": -Infinity, "id": 1234567890123456789}',
      '{"text": NaN}',
      '{"text": "b", "label": 9007199254740993}',
    );
    expect(samples).toEqual([
      { key: "py.jsonl:1", texts: ["a"], meta: { far: "-Infinity", id: "1234567890123456789" } },
      { key: "py.jsonl:3", texts: ["b"], label: "9007199254740993" },
    ]);
    expect(bad).toEqual(["py.jsonl:2 no image and no text among the keys text"]);
  });

  it("passes over null captions, and takes another key where one is null", async () => {
    const { samples, bad } = await rows(
      '{"captions": [null, "a", null]}',
      '{"title": null, "caption": "b"}',
      '{"captions": [null]}',
      '{"image": null, "text": "c"}',
    );
    expect(samples.map(({ texts }) => texts)).toEqual([["a"], ["b"]]);
    expect(bad).toEqual(["py.jsonl:3 the caption is missing", "py.jsonl:4 the image path is missing"]);
  });

  it("keeps labels of every kind", async () => {
    const { samples } = await rows(...["2.5", "true", "0", '"0"', "-1"].map((l) => `{"text":"x","label":${l}}`));
    expect(samples.map(({ label }) => label)).toEqual([2.5, "true", 0, "0", -1]);
  });
});

describe("textSource", () => {
  it("gives every line, and counts documents at blank lines", async () => {
    await writeFiles(root, { "a.txt": "\n\none\r\ntwo\n\n \n  three  \n" });
    expect((await read(`${root}/a.txt`)).samples).toEqual([
      { key: "a.txt:3", texts: ["one"], meta: { document: "a.txt#0" } },
      { key: "a.txt:4", texts: ["two"], meta: { document: "a.txt#0" } },
      { key: "a.txt:7", texts: ["three"], meta: { document: "a.txt#1" } },
    ]);
  });

  it("lists lines that are not UTF-8", async () => {
    await writeFiles(root, { "b.txt": new Uint8Array([0xc0, 10, 0x61]) });
    const { samples, bad } = await read(`${root}/b.txt`);
    expect([samples.length, bad]).toEqual([1, ["b.txt:1 the line is not valid UTF-8"]]);
  });
});

describe("cocoSource", () => {
  it("gives each image once with all its captions", async () => {
    const images = [0, 1, 2].map((id) => ({ id, file_name: `${id}.jpg`, width: 3 }));
    const annotations = [
      { image_id: 1, id: 10, caption: "b" },
      { image_id: 0, id: 11, caption: "a" },
      { image_id: 1, id: 12, caption: "c" },
    ];
    await writeFiles(root, { "coco.json": JSON.stringify({ info: {}, images, annotations }) });
    const { samples, bad } = await read({ type: "coco", path: `${root}/coco.json`, root: `${root}/img` });
    expect(samples.map(({ key, texts }) => [key, texts])).toEqual([
      ["0.jpg", ["a"]],
      ["1.jpg", ["b", "c"]],
    ]);
    expect(bad).toEqual(["2.jpg the caption is missing"]);
  });

  it("loses one sample to one bad entry, never the file, and tells of captions of no image", async () => {
    const images = [{ id: 0, file_name: "0.jpg" }, { id: "a", file_name: "1.jpg" }, { id: 2 }, null];
    const annotations = [
      { image_id: 0, caption: null },
      { image_id: 0, caption: "a" },
      { image_id: "a", caption: null },
      { image_id: 7, caption: "lost" },
      5,
    ];
    await writeFiles(root, { "odd.json": JSON.stringify({ images, annotations }).replace(/null\}/, "NaN}") });
    const notes: string[] = [];
    const source = await openSource({ type: "coco", path: `${root}/odd.json`, root: `${root}/img` });
    const placed = await collect(source, { onBad: ({ key, reason, kept }) => notes.push(`${key} ${reason} ${kept}`) });
    expect(placed.map(({ sample }) => [sample.key, sample.texts])).toEqual([["0.jpg", ["a"]]]);
    expect(notes).toEqual([
      "annotations[3] a caption of no image true",
      "annotations[4] a caption of no image true",
      "1.jpg the caption is missing undefined",
      "images#2 expected an image with id and file_name undefined",
      "images#3 expected an image with id and file_name undefined",
    ]);
  });

  it("gives entries with one file name different keys", async () => {
    const images = [0, 1].map((id) => ({ id, file_name: "0.jpg" }));
    const annotations = images.map(({ id }) => ({ image_id: id, caption: `caption ${id}` }));
    await writeFiles(root, { "same.json": JSON.stringify({ images, annotations }) });
    const { samples } = await read({ type: "coco", path: `${root}/same.json`, root: `${root}/img` });
    expect(samples.map(({ key, texts }) => [key, texts])).toEqual([
      ["0.jpg#0", ["caption 0"]],
      ["0.jpg#1", ["caption 1"]],
    ]);
  });

  it("stops at a file of another kind", async () => {
    await writeFiles(root, { "no.json": "[1]", "cut.json": '{"images":[' });
    await expect(read(`coco:${root}/no.json`)).rejects.toThrow(/expected COCO captions/);
    await expect(read(`${root}/cut.json`)).rejects.toThrow(/expected JSON/);
  });
});

describe("parquetSource", () => {
  const imageSchema = [
    { name: "root", num_children: 3 },
    { name: "image", repetition_type: "OPTIONAL" as const, num_children: 2 },
    { name: "bytes", type: "BYTE_ARRAY" as const, repetition_type: "OPTIONAL" as const },
    {
      name: "path",
      type: "BYTE_ARRAY" as const,
      converted_type: "UTF8" as const,
      repetition_type: "OPTIONAL" as const,
    },
    {
      name: "caption",
      type: "BYTE_ARRAY" as const,
      converted_type: "UTF8" as const,
      repetition_type: "OPTIONAL" as const,
    },
    { name: "label", type: "INT64" as const, repetition_type: "OPTIONAL" as const },
  ];
  const hubFile = (count: number): Uint8Array => {
    const at = Array.from({ length: count }, (_, i) => i);
    const image = at.map((i) =>
      i === 2 ? { bytes: undefined, path: `${root}/img/1.jpg` } : { bytes: fakeImage(i), path: `${i}.jpg` },
    );
    const columnData = [
      { name: "image", data: image },
      { name: "caption", data: at.map((i) => (i === 3 ? undefined : `caption ${i}`)) },
      { name: "label", data: at.map((i) => BigInt(i % 10)) },
    ];
    return new Uint8Array(parquetWriteBuffer({ schema: imageSchema, columnData, rowGroupSize: 4 }));
  };

  it("reads the Hub's layout over several row groups", async () => {
    await writeFiles(root, { "hub.parquet": hubFile(10) });
    const { samples, bad } = await read(`${root}/hub.parquet`);
    expect(samples).toHaveLength(9);
    expect(samples[0]).toEqual({ key: "hub.parquet:0", image: fakeImage(0), texts: ["caption 0"], label: 0 });
    expect(samples[2]!.image).toEqual(fakeImage(1));
    expect(samples[8]).toEqual({ key: "hub.parquet:9", image: fakeImage(9), texts: ["caption 9"], label: 9 });
    expect(bad).toEqual(["hub.parquet:3 the caption is missing"]);
  });

  it("gives images in buffers of their own, not views into a page", async () => {
    await writeFiles(root, { "own.parquet": hubFile(3) });
    const { samples } = await read(`${root}/own.parquet`);
    for (const { image } of samples) expect(image!.buffer.byteLength).toBe(image!.length);
  });

  it("reads text columns, and lists rows that are not UTF-8", async () => {
    const data = [utf8("good"), new Uint8Array([0xff]), utf8("fine")];
    const schema = [
      { name: "root", num_children: 1 },
      {
        name: "text",
        type: "BYTE_ARRAY" as const,
        repetition_type: "REQUIRED" as const,
        converted_type: "UTF8" as const,
      },
    ];
    const bytes = parquetWriteBuffer({ schema, columnData: [{ name: "text", data }] });
    await writeFiles(root, { "text.parquet": new Uint8Array(bytes) });
    const { samples, bad } = await read(`${root}/text.parquet`);
    expect(samples.map(({ texts }) => texts)).toEqual([["good"], ["fine"]]);
    expect(bad).toEqual(["text.parquet:1 the caption is not valid UTF-8"]);
  });

  /** Columns of strings, and of bytes where they are given as bytes. */
  const bytesFile = (columns: Readonly<Record<string, readonly (string | Uint8Array | undefined)[]>>): Uint8Array => {
    const columnData = Object.entries(columns).map(([name, cells]) => ({
      name,
      data: cells.map((cell) => (typeof cell === "string" ? utf8(cell) : cell)),
    }));
    const leaf = (name: string) => ({
      name,
      type: "BYTE_ARRAY" as const,
      repetition_type: "OPTIONAL" as const,
      ...(columns[name]!.every((cell) => typeof cell === "string") &&
        name !== "path" && { converted_type: "UTF8" as const }),
    });
    const schema = [{ name: "root", num_children: columnData.length }, ...Object.keys(columns).map(leaf)];
    return new Uint8Array(parquetWriteBuffer({ schema, columnData }));
  };

  it("takes the bytes of img2dataset's jpg column, not the url beside it", async () => {
    const url = "http://127.0.0.1:9/never-asked.jpg";
    const jpg = [fakeImage(0), undefined, fakeImage(2)];
    const columns = { url: [url, url, url], caption: ["a", "b", "c"], jpg };
    await writeFiles(root, { "i2d.parquet": bytesFile(columns) });
    const { samples, bad } = await read(`${root}/i2d.parquet`);
    expect(samples.map(({ image, texts }) => [image, texts![0]])).toEqual([
      [fakeImage(0), "a"],
      [fakeImage(2), "c"],
    ]);
    expect(bad).toEqual(["i2d.parquet:1 the image is missing"]);
  });

  it("reads paths from the file's folder, also those that are stored as plain bytes", async () => {
    const files = {
      "deep/pic/7.jpg": fakeImage(7),
      "deep/a.parquet": bytesFile({ image: ["pic/7.jpg"], text: ["a"] }),
      "deep/b.parquet": bytesFile({ path: ["pic/7.jpg"], text: ["b"] }),
    };
    await writeFiles(root, files);
    const { samples, bad } = await read(`${root}/deep/{a,b}.parquet`);
    expect(bad).toEqual([]);
    expect(samples.map(({ image }) => image)).toEqual([fakeImage(7), fakeImage(7)]);
  });

  it("keeps labels of every kind", async () => {
    const columnData = [
      { name: "text", data: ["a", "b"] },
      { name: "label", data: [9007199254740993n, 5n] },
    ];
    await writeFiles(root, {
      "big.parquet": new Uint8Array(parquetWriteBuffer({ columnData })),
      "half.parquet": new Uint8Array(
        parquetWriteBuffer({ columnData: [columnData[0]!, { name: "label", data: [2.5, -1] }] }),
      ),
      "on.parquet": new Uint8Array(
        parquetWriteBuffer({ columnData: [columnData[0]!, { name: "label", data: [true, false] }] }),
      ),
    });
    const { samples } = await read(`${root}/{big,half,on}.parquet`);
    expect(samples.map(({ label }) => label)).toEqual(["9007199254740993", 5, 2.5, -1, "true", "false"]);
  });

  it("refuses a file without the wanted columns", async () => {
    await writeFiles(root, {
      "q.parquet": new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "q", data: [1, 2] }] })),
    });
    await expect(read(`${root}/q.parquet`)).rejects.toThrow(/expected an image or text column, got q/);
    await expect(read({ type: "parquet", path: `${root}/hub.parquet`, text: "x" })).rejects.toThrow(
      /expected a column x/,
    );
  });

  it("refuses a file that is cut anywhere", async () => {
    const file = hubFile(10);
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 1), async (cut) => {
        await writeFiles(root, { "cut.parquet": file.slice(0, cut) });
        await expect(read(`${root}/cut.parquet`)).rejects.toThrow(DataError);
      }),
      { numRuns: 60, examples: [[0], [4], [11], [file.length - 1]] },
    );
  });

  it("refuses a page that claims more bytes than its column, before it is unpacked", async () => {
    const file = hubFile(1);
    expect([file[4], file[6]]).toEqual([0x15, 0x15]); // page type, then the size as a two-byte number
    expect(file[7]! & 0x80).toBe(0x80);
    file.set([0xfe, 0x7f], 7);
    await writeFiles(root, { "claims.parquet": file });
    await expect(read(`${root}/claims.parquet`)).rejects.toThrow(/page 0: bytes: expected 0\.\.\d+, got 8\d+/);
  });

  it("refuses a row group whose columns are not the schema's, before it reads any", async () => {
    const file = hubFile(1);
    const name = Buffer.from(file).lastIndexOf("label");
    file[name] = 0x4c; // "Label", in the row group only
    file[5] = 0xfe; // and a page that cannot be read, whose failure nobody would await
    await writeFiles(root, { "renamed.parquet": file });
    await expect(read(`${root}/renamed.parquet`)).rejects.toThrow(
      /row group 0 has the columns image.bytes, image.path, caption, Label, the schema .*, label/,
    );
  });

  it("gives rows or a DataError for any damage to the headers of pages, and never hangs", async () => {
    const file = hubFile(6);
    const damage = fc.array(fc.tuple(fc.integer({ min: 4, max: 24 }), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, (changes) => survives(file, changes)),
      { numRuns: 120, examples: [[[[14, 252]]]] },
    );
  });

  it("gives rows or a DataError for any damage to the footer", async () => {
    const file = hubFile(6);
    const footer = new DataView(file.buffer).getUint32(file.length - 8, true) + 8;
    const place = fc.integer({ min: file.length - footer, max: file.length - 1 });
    const damage = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, (changes) => survives(file, changes)),
      { numRuns: 120, examples: [[[[file.length - 701, 56]]]] },
    );
  });

  /** Reads the file with some bytes replaced. */
  async function survives(file: Uint8Array, changes: readonly (readonly [number, number])[]): Promise<void> {
    const copy = file.slice();
    for (const [at, value] of changes) copy[at] = value;
    await writeFiles(root, { "fuzz.parquet": copy });
    const error = await read(`${root}/fuzz.parquet`).catch((e: unknown) => e);
    if (error instanceof Error) expect(error).toBeInstanceOf(DataError);
  }
});

describe("openSource", () => {
  it("says what is wrong with a spec", async () => {
    await expect(openSource("data.xyz")).rejects.toThrow(
      /expected a folder or one of .tar.*got .xyz[\s\S]*no such file/,
    );
    await expect(openSource("zip:a.zip")).rejects.toThrow(/expected one of tar, parquet/);
    await expect(openSource("synthetic:many")).rejects.toThrow(/synthetic:COUNT or COUNTxSIZE/);
    await expect(openSource({ type: "csv", path: "a.csv", titel: "x" } as never)).rejects.toThrow(/titel/);
    await expect(openSource({ type: "csv", path: "a.csv", titel: "x" } as never)).rejects.toThrow(ConfigError);
    await expect(openSource("https://example.org/data")).rejects.toThrow(/got no extension/);
  });

  it("says what a folder without data holds", async () => {
    await writeFiles(root, { "odd/readme.md": "x" });
    await expect(openSource(`${root}/odd`)).rejects.toThrow(/got readme.md/);
  });

  it("finds the type of a folder", async () => {
    await writeFiles(root, { "meta/metadata.jsonl": '{"file_name":"0.jpg","text":"a"}', "meta/0.jpg": "x" });
    expect(keysOf(await collect(await openSource(`${root}/meta`)))).toEqual(["metadata.jsonl:1"]);
    expect(keysOf(await collect(await openSource(`${root}/img`)))).toEqual(["0.jpg", "1.jpg", "2.jpg"]);
  });
});

describe("tables that say a thing in two ways", () => {
  it("takes ./a.jpg and a.jpg for one picture, and another address for another", async () => {
    await writeFiles(root, {
      "spelled.csv": "image,caption\nimg/0.jpg,a\n./img/0.jpg,b\nimg/1.jpg,c\nimg/x/..//0.jpg,d\n",
      "spelled.jsonl": '{"image":"img/0.jpg","text":"a"}\n{"image":".//img/0.jpg","text":"b"}\n',
    });
    const texts = async (name: string) => (await read(`${root}/${name}`)).samples.map((sample) => sample.texts);
    expect(await texts("spelled.csv")).toEqual([["a", "b", "d"], ["c"]]);
    expect(await texts("spelled.jsonl")).toEqual([["a", "b"]]);
  });

  it("refuses a column that is named twice, where it is one that is read", async () => {
    await writeFiles(root, {
      "twice.csv": "image,caption,caption\nimg/0.jpg,a,b\n",
      "other.csv": "image,caption,note,note\nimg/0.jpg,a,b,c\n",
    });
    await expect(read(`${root}/twice.csv`)).rejects.toThrow(/expected one column caption, got several/);
    expect((await read(`${root}/other.csv`)).samples).toHaveLength(1);
  });

  it("lists images of a COCO file that share an id: nobody knows whose captions they are", async () => {
    const image = (id: number, file_name: string) => ({ id, file_name });
    const caption = (image_id: number, text: string) => ({ image_id, caption: text });
    await writeFiles(root, {
      "ids.json": JSON.stringify({
        images: [image(1, "img/0.jpg"), image(1, "img/1.jpg"), image(2, "img/2.jpg"), image(2, "./img/2.jpg")],
        annotations: [caption(1, "a"), caption(2, "b")],
      }),
    });
    const { samples, bad } = await read({ type: "coco", path: `${root}/ids.json` });
    expect(samples.map(({ key }) => key)).toEqual(["img/2.jpg", "./img/2.jpg"]);
    expect(bad).toEqual([
      "img/0.jpg another image has the id 1, so its captions may be the other one's",
      "img/1.jpg another image has the id 1, so its captions may be the other one's",
    ]);
  });
});
