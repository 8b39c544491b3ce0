import { cp, rm, utimes } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, describe, expect, it } from "vitest";
import { shardFiles, tarOf, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { changedFiles, type Fingerprint, filesFingerprint, fingerprintOf } from "./fingerprint.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";

const TIME = new Date("2026-01-02T03:04:05.000Z");
let root: string;

beforeAll(async () => {
  root = await temporaryFolder();
});

/** Files in a folder of their own, all of one time. */
async function folderOf(name: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  await writeFiles(`${root}/${name}`, files);
  for (const file of Object.keys(files)) await utimes(`${root}/${name}/${file}`, TIME, TIME);
  return `${root}/${name}`;
}

const of = (...paths: string[]): Promise<Fingerprint> => filesFingerprint(paths);

describe("changedFiles", () => {
  it("finds nothing where nothing changed, also when the files move as a whole with their times", async () => {
    const folder = await folderOf("same", { "a/0.tar": "one", "b/0.tar": "two" });
    const before = await of(`${folder}/a/0.tar`, `${folder}/b/0.tar`);
    expect(before).toMatchObject({ files: 2, bytes: 6 });
    expect(before.list).toEqual([
      { name: "a/0.tar", bytes: 3, version: TIME.getTime() },
      { name: "b/0.tar", bytes: 3, version: TIME.getTime() },
    ]);
    expect(
      changedFiles(JSON.parse(JSON.stringify(before)), await of(`${folder}/a/0.tar`, `${folder}/b/0.tar`)),
    ).toEqual([]);
    await cp(folder, `${root}/moved/deeper`, { recursive: true, preserveTimestamps: true });
    const moved = `${root}/moved/deeper`;
    expect(changedFiles(before, await of(`${moved}/a/0.tar`, `${moved}/b/0.tar`))).toEqual([]);
  });

  it("names files of another size or time, new ones and those that are gone", async () => {
    const folder = await folderOf("changed", { a: "1", b: "1", c: "1", d: "1", e: "1" });
    const paths = (names: string): string[] => [...names].map((name) => `${folder}/${name}`);
    const before = await of(...paths("abcd"));
    await writeFiles(folder, { a: "11" });
    await utimes(`${folder}/b`, TIME, new Date("2026-02-01T00:00:00.000Z"));
    await rm(`${folder}/c`);
    expect(changedFiles(before, await of(...paths("abce")))).toEqual([
      "a: 1 bytes, now 2",
      "b: of 2026-01-02T03:04:05.000Z, now of 2026-02-01T00:00:00.000Z",
      "c: gone",
      "d: gone",
      "e: new",
    ]);
  });

  it("sees another order, and a change among more files than it lists", () => {
    const file = (i: number, bytes = 1) => ({ name: `${i}`, bytes, version: "v" });
    const many = Array.from({ length: 1500 }, (_, i) => file(i));
    expect(changedFiles(fingerprintOf([file(0), file(1)]), fingerprintOf([file(1), file(0)]))).toEqual([
      "the same files in another order",
    ]);
    const before = fingerprintOf(many);
    expect(before.list).toBeUndefined();
    expect(changedFiles(before, fingerprintOf(many))).toEqual([]);
    expect(changedFiles(before, fingerprintOf(many.with(7, file(7, 9))))).toEqual([
      "1500 files of 1500 bytes, now 1500 of 1508: some changed",
    ]);
  });

  it("asks a server for length and ETag, and passes over what a URL says behind the ?", async () => {
    let etag = '"a"';
    const server = createServer((request, response) => {
      const body = Buffer.from("0123456789");
      const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
      const [start, end] = range ? [Number(range[1]), Number(range[2] || 9)] : [0, 9];
      const part = body.subarray(start, end + 1);
      const headers = { "content-length": part.length, etag, "content-range": `bytes ${start}-${end}/10` };
      response.writeHead(range ? 206 : 200, headers).end(request.method === "HEAD" ? undefined : part);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x/0.tar`;
    const before = await of(`${url}?token=1`);
    expect(before.list).toEqual([{ name: "0.tar", bytes: 10, version: '"a"' }]);
    expect(changedFiles(before, await of(`${url}?token=2`))).toEqual([]);
    etag = '"b"';
    expect(changedFiles(before, await of(url))).toEqual(['0.tar: of "a", now of "b"']);
    server.close();
  });
});

describe("a source", () => {
  it.each<[string, (root: string) => string | SourceSpec, number]>([
    ["tar", (r) => `${r}/t{0..1}.tar`, 2],
    ["CSV", (r) => `${r}/a.csv`, 1],
    ["JSON Lines", (r) => `${r}/b.jsonl`, 1],
    ["text", (r) => `${r}/c.txt`, 1],
    ["COCO", (r) => `${r}/coco.json`, 1],
    ["parquet", (r) => ({ type: "parquet", path: `${r}/p.parquet` }), 1],
    ["a folder", (r) => `${r}/img`, 2],
  ])("of %s gives the fingerprint of its files", async (name, spec, files) => {
    const folder = await folderOf(`kinds-${name}`, {
      "t0.tar": await tarOf(shardFiles(0, 2)),
      "t1.tar": await tarOf(shardFiles(2, 3)),
      "a.csv": "title\nx",
      "b.jsonl": '{"text":"x"}',
      "c.txt": "x",
      "coco.json": '{"images":[{"id":1,"file_name":"x.jpg"}],"annotations":[{"image_id":1,"caption":"x"}]}',
      "p.parquet": "PAR1",
      "img/a/0.jpg": "x",
      "img/b/0.jpg": "y",
    });
    const source = await openSource(spec(folder));
    const found = await source.fingerprint!();
    expect(found.files).toBe(files);
    for (const { version } of found.list!) expect(version).toBe(TIME.getTime());
  });
});
