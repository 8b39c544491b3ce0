import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import {
  collect,
  keysOf,
  shardFiles,
  tarOf,
  temporaryFolder,
  writeFiles,
} from "../../../test/support/data-fixtures.ts";
import { fileLabels } from "./files.ts";
import { openSource } from "./open.ts";
import type { BadSample } from "./source.ts";

const parquet = (): Uint8Array => new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data: ["x"] }] }));

describe("keys", () => {
  it.each([
    ["tar", () => tarOf(shardFiles(0, 1)), "0.tar/0"],
    ["parquet", parquet, "0.parquet:0"],
    ["csv", () => "text,label\nx,1\n", "0.csv:1"],
    ["tsv", () => "text\tlabel\nx\t1\n", "0.tsv:1"],
    ["jsonl", () => '{"text":"x"}', "0.jsonl:1"],
    ["txt", () => "x", "0.txt:1"],
  ])("differ between two %s files of one name", async (extension, make, rest) => {
    const root = await temporaryFolder();
    const body = await make();
    await writeFiles(root, { [`a/0.${extension}`]: body, [`b/0.${extension}`]: body });
    const source = await openSource(`${root}/{a,b}/0.${extension}`);
    const all = await collect(source);
    expect(keysOf(all)).toEqual([`a/${rest}`, `b/${rest}`]);
    for (const options of [{ shard: { index: 1, count: 2 } }, { cursor: all[0]!.cursor }])
      expect(keysOf(await collect(source, options))).toEqual([`b/${rest}`]);
    if (extension === "txt") expect(all.map(({ sample }) => sample.meta!.document)).toEqual(["a/0.txt#0", "b/0.txt#0"]);
  });

  it("differ between two bad samples of files with one name", async () => {
    const root = await temporaryFolder();
    await writeFiles(root, { "a/x.jsonl": "{", "b/x.jsonl": "{" });
    const bad: BadSample[] = [];
    await collect(await openSource(`${root}/{a,b}/x.jsonl`), { onBad: (b) => bad.push(b) });
    expect(bad.map(({ key }) => key)).toEqual(["a/x.jsonl:1", "b/x.jsonl:1"]);
  });
});

describe("fileLabels", () => {
  const labels = (...paths: string[]): string[] => [...fileLabels(paths).values()];

  it("are the shortest ends that tell the files apart", () => {
    expect(labels("/d/a.tar", "/d/b.tar")).toEqual(["a.tar", "b.tar"]);
    expect(labels("/d/1/x/a.tar", "/d/2/x/a.tar", "/e/b.tar")).toEqual(["1/x/a.tar", "2/x/a.tar", "/e/b.tar"]);
    expect(labels("a.tar", "d/a.tar")).toEqual(["a.tar", "d/a.tar"]);
    expect(labels("d\\a.tar", "e\\a.tar")).toEqual(["d/a.tar", "e/a.tar"]);
  });

  it("keep queries of URLs out where the paths suffice", () => {
    expect(labels("https://h/a.tar?key=1", "https://h/b.tar?key=1")).toEqual(["a.tar", "b.tar"]);
    expect(labels("https://h/a.tar", "http://h/a.tar")).toEqual(["https://h/a.tar", "http://h/a.tar"]);
    expect(labels("https://h/get?id=1", "https://h/get?id=2")).toEqual(["https://h/get?id=1", "https://h/get?id=2"]);
  });

  it("are the same for a file that is listed twice", () => {
    expect(labels("/d/a.tar", "/d/a.tar")).toEqual(["a.tar"]);
  });
});
