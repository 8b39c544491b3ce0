import { beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, temporaryFolder, utf8, writeFiles } from "../../../test/support/data-fixtures.ts";
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

describe("csvSource", () => {
  it("reads open_clip's columns, quotes, and paths seen from the table's folder", async () => {
    const rows = ["filepath,title", 'img/0.jpg,"a cat, ""big"""', 'img/1.jpg,"two\nlines"', ""].join("\n");
    await writeFiles(root, { "a.csv": rows });
    expect((await read(`${root}/a.csv`)).samples).toEqual([
      { key: "a.csv:1", image: fakeImage(0), texts: ['a cat, "big"'] },
      { key: "a.csv:2", image: fakeImage(1), texts: ["two\nlines"] },
    ]);
  });

  it("reads TSV, a byte order mark, Windows line ends and columns by name", async () => {
    await writeFiles(root, { "b.tsv": "\ufeffurl\tcap\tkind\r\n0.jpg\tx y\t3\r\n1.jpg\tz\tq\r\n" });
    const spec: SourceSpec = {
      type: "tsv",
      path: `${root}/b.tsv`,
      image: "url",
      text: "cap",
      label: "kind",
      root: `${root}/img`,
    };
    expect((await read(spec)).samples).toEqual([
      { key: "b.tsv:1", image: fakeImage(0), texts: ["x y"], label: "3" },
      { key: "b.tsv:2", image: fakeImage(1), texts: ["z"], label: "q" },
    ]);
  });

  it("lists bad rows: missing images and captions, wrong cell counts, bytes that are not UTF-8", async () => {
    const head = utf8("filepath,title\nimg/9.jpg,gone\nimg/0.jpg,\nimg/0.jpg,a,b\n,x\nimg/2.jpg,good\nimg/1.jpg,");
    await writeFiles(root, { "c.csv": new Uint8Array([...head, 0xff, 0xfe, 10]) });
    const { samples, bad } = await read(`${root}/c.csv`);
    expect(samples.map((sample) => sample.key)).toEqual(["c.csv:5"]);
    expect(bad).toEqual([
      expect.stringMatching(/^c\.csv:1 .*9\.jpg: expected a readable file, got ENOENT: no such file or directory$/),
      "c.csv:2 the caption is missing",
      "c.csv:3 expected 2 cells, got 3",
      "c.csv:4 the image path is missing",
      "c.csv:6 the caption is not valid UTF-8",
    ]);
  });

  it("loses no row behind a quotation mark that is not closed, wherever the next one stands", async () => {
    await writeFiles(root, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`img/r${i}.jpg`, fakeImage(i)])));
    for (const [nth, later] of [
      '3.jpg,"closed"',
      '3.jpg,big 5"',
      '3.jpg,5" tall',
      "3.jpg,none",
      '"3.jpg",x',
    ].entries()) {
      const rows = Array.from({ length: 40 }, (_, i) => `img/r${i}.jpg,caption ${i}`);
      rows[10] = 'img/1.jpg,"never closed';
      rows[30] = later.replace("3.jpg", "img/2.jpg");
      await writeFiles(root, { [`open${nth}.csv`]: ["filepath,title", ...rows].join("\n") });
      const { samples, bad } = await read(`${root}/open${nth}.csv`);
      expect([samples.length, bad]).toEqual([39, [expect.stringMatching(/:11 a quotation mark is opened and not/)]]);
      expect(samples[29]!.texts![0]).toBe(
        { 1: 'big 5"', 2: '5" tall', 3: "none" }[nth] ?? (nth === 0 ? "closed" : "x"),
      );
    }
  });

  it("loses no row of texts with labels either, and takes prose with commas for the lines of a cell", async () => {
    const rows = ["a,1", '"never closed,2', "b,3", 'big 5",4', '"one, two\nthree, four",5'];
    await writeFiles(root, { "texts.csv": ["text,label", ...rows].join("\n") });
    const { samples, bad } = await read(`${root}/texts.csv`);
    expect(samples.map(({ texts, label }) => [texts![0], label])).toEqual([
      ["a", "1"],
      ["b", "3"],
      ['big 5"', "4"],
      ["one, two\nthree, four", "5"],
    ]);
    expect(bad).toEqual([expect.stringMatching(/^texts.csv:2 a quotation mark is opened and not closed/)]);
  });

  it("reads a quotation mark in the middle of a cell as it stands, and cells of several lines with commas", async () => {
    const rows = [
      'img/0.jpg,"Hello" he said',
      'img/1.jpg,5" tall',
      'img/2.jpg,"one, two\nthree, four"',
      'img/0.jpg,"a"b,c',
    ];
    await writeFiles(root, { "marks.csv": ["filepath,title", ...rows].join("\n") });
    const { samples, bad } = await read(`${root}/marks.csv`);
    expect(samples.map(({ texts }) => texts![0])).toEqual(['"Hello" he said', '5" tall', "one, two\nthree, four"]);
    expect(bad).toEqual(["marks.csv:4 a quoted cell goes on behind its closing quotation mark"]);
  });

  it("reads line ends of both kinds in one file", async () => {
    await writeFiles(root, { "ends.csv": 'text,label\r\na,1\nb,2\r\n\n"c\r\nd",3\n' });
    const { samples } = await read(`${root}/ends.csv`);
    expect(samples.map(({ texts, label }) => [texts![0], label])).toEqual([
      ["a", "1"],
      ["b", "2"],
      ["c\nd", "3"],
    ]);
    await writeFiles(root, { "mac.csv": "text,label\ra,1\rb,2\r" });
    await expect(read(`${root}/mac.csv`)).rejects.toThrow(/expected lines that end with .*got .r alone/);
    await writeFiles(root, { "wide.csv": new Uint8Array(Buffer.from("\ufefftext,label\na,1\n", "utf16le")) });
    await expect(read(`${root}/wide.csv`)).rejects.toThrow(/expected UTF-8, got UTF-16/);
  });

  it("reads TSV without quoting, unless it is asked for or the header is quoted", async () => {
    const rows = ['img/0.jpg\t"a" cat', 'img/1.jpg\t"a cat', 'img/2.jpg\t"a ""cat"""'];
    await writeFiles(root, {
      "q.tsv": ["filepath\ttitle", ...rows].join("\n"),
      "h.tsv": ['"filepath"\t"title"', rows[2]].join("\n"),
    });
    const texts = async (spec: string | SourceSpec): Promise<unknown> =>
      (await read(spec)).samples.map((sample) => sample.texts![0]);
    expect(await texts(`${root}/q.tsv`)).toEqual(['"a" cat', '"a cat', '"a ""cat"""']);
    expect(await texts({ type: "tsv", path: `${root}/q.tsv`, quotes: true })).toEqual(['"a" cat', 'a "cat"']);
    expect(await texts(`${root}/h.tsv`)).toEqual(['a "cat"']);
  });

  it("lists a cell of absurd length", async () => {
    const long = `img/0.jpg,${"x".repeat(70_000)}`;
    await writeFiles(root, { "long.csv": ["filepath,title", long, "img/1.jpg,b"].join("\n") });
    const { samples, bad } = await read(`${root}/long.csv`);
    expect([samples.length, bad]).toEqual([1, ["long.csv:1 a cell of 70000 bytes: at most 65536 are plausible"]]);
  });

  it("stops where the table is no table", async () => {
    await writeFiles(root, { "e.csv": "", "f.csv": "a,b\n1,2\n", "g.csv": 'filepath,title\nx,"never closed\n' });
    await expect(read(`${root}/e.csv`)).rejects.toThrow(/expected a header row/);
    await expect(read(`${root}/f.csv`)).rejects.toThrow(/expected columns filepath and title, got a, b/);
    expect((await read(`${root}/g.csv`)).bad).toEqual([
      "g.csv:1 a quotation mark is opened and not closed (set `quotes: false` if cells are not quoted)",
    ]);
    await expect(read({ type: "csv", path: `${root}/f.csv`, text: "c" })).rejects.toThrow(/expected a column c/);
  });
});
