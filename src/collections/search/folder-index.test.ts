import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { COLOURS, colourEncoder, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { type FolderIndex, type IndexOptions, openFolderIndex } from "./folder-index.ts";

const LONG_AGO = new Date("2026-01-01");

/** A folder of pictures written long ago. */
async function folderOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const folder = await temporaryFolder();
  await write(folder, files);
  return folder;
}

async function write(folder: string, files: Readonly<Record<string, Uint8Array | string>>, time = LONG_AGO) {
  await writeFiles(folder, files);
  for (const name of Object.keys(files)) await utimes(join(folder, name), time, time);
}

const three = {
  "a.ppm": colourPicture(COLOURS.red!),
  "b/c.ppm": colourPicture(COLOURS.green!),
  "d.ppm": colourPicture(COLOURS.blue!),
};
const encoder = colourEncoder();
const open = (folder: string, options: IndexOptions = {}): Promise<FolderIndex> =>
  openFolderIndex(folder, encoder, { workers: 0, ...options });
const best = async (index: FolderIndex, words: string, count = 1): Promise<string[]> =>
  index.search(await encoder.texts([words]), count).map(({ path }) => path);

/** The files of the only index in a folder. */
async function indexFiles(folder: string): Promise<{ log: string; rows: string }> {
  const place = join(folder, ".flava-index", encoder.identity.slice(0, 16));
  const rows = (await readdir(place)).find((name) => name.endsWith(".f32"))!;
  return { log: join(place, "log.jsonl"), rows: join(place, rows) };
}

describe("openFolderIndex", () => {
  it("finds pictures by words, and embeds nothing the second time", async () => {
    const folder = await folderOf({ ...three, ".hidden.ppm": "x", "notes.txt": "x" });
    const first = await open(folder);
    expect(first).toMatchObject({ pictures: 3, bad: [], passed: { hidden: 1, others: 1 } });
    expect(first.changes).toMatchObject({ added: 3, encoded: 3 });
    expect(await best(first, "green")).toEqual(["b/c.ppm"]);
    expect(first.search(await encoder.texts(["red"]), 9).map(({ score }) => score)).toEqual([
      expect.closeTo(1, 1),
      expect.any(Number),
      expect.any(Number),
    ]);
    const again = await open(folder);
    expect(again.changes).toEqual({ added: 0, changed: 0, moved: 0, deleted: 0, unchanged: 3, encoded: 0 });
    expect(again.passed.hidden).toBe(2); // the index itself
    expect(again.rows).toEqual(first.rows);
  });

  it("embeds what was added, notices what was changed, deleted or moved, and a touched file costs nothing", async () => {
    const folder = await folderOf(three);
    await open(folder);
    await write(folder, { "a.ppm": colourPicture(COLOURS.yellow!) }, new Date("2026-02-01"));
    await write(folder, { "new.ppm": colourPicture(COLOURS.red!, 5) });
    await rename(join(folder, "b"), join(folder, "e"));
    await rm(join(folder, "d.ppm"));
    const index = await open(folder);
    expect(index.changes).toEqual({ added: 1, changed: 1, moved: 1, deleted: 1, unchanged: 0, encoded: 2 });
    expect(index.pictures).toBe(3);
    expect(await best(index, "blue", 9)).not.toContain("d.ppm");
    expect([await best(index, "yellow"), await best(index, "green"), await best(index, "red")]).toEqual([
      ["a.ppm"],
      ["e/c.ppm"],
      ["new.ppm"],
    ]);
    await utimes(join(folder, "a.ppm"), LONG_AGO, new Date("2026-03-01"));
    expect((await open(folder)).changes).toMatchObject({ changed: 0, unchanged: 3, encoded: 0 });
  });

  it("looks again into a file that was written while it was indexed: its next change may leave no trace in its time", async () => {
    const folder = await folderOf({});
    const path = join(folder, "a.ppm");
    const now = new Date();
    await write(folder, { "a.ppm": colourPicture(COLOURS.red!) }, now);
    await open(folder);
    await write(folder, { "a.ppm": colourPicture(COLOURS.blue!) }, now);
    expect((await stat(path)).size).toBe(colourPicture(COLOURS.red!).length);
    expect((await open(folder)).changes).toMatchObject({ changed: 1, encoded: 1 });
  });

  it("remembers and lists broken pictures, and tries them again only when they change", async () => {
    const folder = await folderOf({ ...three, "x.png": "not a picture", "empty.jpg": "" });
    const { bad } = await open(folder);
    expect(bad.map(({ key }) => key).sort()).toEqual(["empty.jpg", "x.png"]);
    expect(bad.find(({ key }) => key === "x.png")!.reason).toMatch(/^expected JPEG, .*got/);
    const again = await open(folder);
    expect(again.bad).toEqual(bad);
    expect(again.changes).toMatchObject({ changed: 0, unchanged: 5 });
    await write(folder, { "x.png": colourPicture(COLOURS.yellow!) }, new Date("2026-02-01"));
    const mended = await open(folder);
    expect(mended.bad.map(({ key }) => key)).toEqual(["empty.jpg"]);
    expect(await best(mended, "yellow")).toEqual(["x.png"]);
  });

  it.each([
    ["a damaged line", (files: { log: string }) => patch(files.log, 200)],
    ["damaged rows", (files: { rows: string }) => patch(files.rows, 5)],
    ["rows that were cut off", (files: { rows: string }) => writeFile(files.rows, "")],
    ["something else in its place", (files: { log: string }) => writeFile(files.log, "hello\n")],
    ["another version", (files: { log: string }) => writeFile(files.log, '0fb1b58e {"format":"other"}\n')],
  ])("builds an index anew that has %s, and says so", async (_, damage) => {
    const folder = await folderOf(three);
    await open(folder);
    await damage(await indexFiles(folder));
    const notes: string[] = [];
    const index = await open(folder, { note: (line) => notes.push(line) });
    expect(notes).toEqual([expect.stringMatching(/^the index is built anew: /)]);
    expect(index.changes).toMatchObject({ added: 3, encoded: 3 });
    expect(await best(index, "blue")).toEqual(["d.ppm"]);
  });

  it("writes to no file outside, whatever the log of a foreign folder says", async () => {
    const folder = await folderOf(three);
    await open(folder);
    const files = await indexFiles(folder);
    await writeFile(join(folder, "mine.f32"), "0".repeat(100));
    const [head, ...rest] = (await readFile(files.log, "utf8")).split("\n") as [string, ...string[]];
    const forged = head.slice(9).replace(/"rows":"[^"]*"/, '"rows":"../../mine.f32"');
    await writeFile(files.log, [`${crc32(forged).toString(16).padStart(8, "0")} ${forged}`, ...rest].join("\n"));
    await write(folder, { "new.ppm": colourPicture(COLOURS.yellow!) });
    const notes: string[] = [];
    expect((await open(folder, { note: (line) => notes.push(line) })).pictures).toBe(4);
    expect(notes).toEqual([expect.stringMatching(/built anew: .*got rows in "..\/..\/mine.f32"/)]);
    expect(await readFile(join(folder, "mine.f32"), "utf8")).toBe("0".repeat(100));
  });

  it("goes on where a killed process stopped, without the batch that was being written", async () => {
    const names = Array.from({ length: 12 }, (_, i) => `${String(i).padStart(2, "0")}.ppm`);
    const folder = await folderOf(Object.fromEntries(names.map((name, i) => [name, colourPicture([i * 20, 90, 9])])));
    const stopping = new AbortController();
    const stop = { signal: stopping.signal, onProgress: (done: number) => void (done >= 8 && stopping.abort()) };
    await expect(open(folder, stop)).rejects.toThrow();
    const files = await indexFiles(folder);
    const log = await readFile(files.log, "utf8");
    expect(log.trimEnd().split("\n").length).toBeGreaterThanOrEqual(3);
    await writeFile(files.log, log.slice(0, -20)); // as if the process had died within its last write
    const index = await open(folder);
    expect(index.changes.unchanged).toBe(4);
    expect(index.changes.encoded).toBe(8);
    expect(index.pictures).toBe(12);
  });

  it("is not harmed by several that index one folder at once", async () => {
    const names = Array.from({ length: 12 }, (_, i) => `${i}.ppm`);
    const folder = await folderOf(Object.fromEntries(names.map((name, i) => [name, colourPicture([i * 20, 90, 9])])));
    const indexes = await Promise.all([open(folder), open(folder), open(folder)]);
    expect(indexes.map(({ pictures }) => pictures)).toEqual([12, 12, 12]);
    expect(indexes.reduce((n, { changes }) => n + changes.encoded, 0)).toBe(12);
  });

  it("is written anew when most of its rows are dead", async () => {
    const many = Object.fromEntries(Array.from({ length: 110 }, (_, i) => [`${i}.ppm`, colourPicture([9, 9, 9], i)]));
    const folder = await folderOf({ ...many, ...three });
    await open(folder);
    for (const name of Object.keys(many).slice(0, 80)) await rm(join(folder, name));
    const index = await open(folder);
    expect(index.rows.length / 3).toBe(33);
    expect((await stat((await indexFiles(folder)).rows)).size).toBe(33 * 12);
    expect(await best(index, "green")).toEqual(["b/c.ppm"]);
    expect((await open(folder)).changes).toMatchObject({ encoded: 0, unchanged: 33 });
  });

  it("keeps an index for each model", async () => {
    const folder = await folderOf(three);
    await open(folder);
    const other = await openFolderIndex(folder, colourEncoder("beef".repeat(16)), { workers: 0 });
    expect(other.changes.encoded).toBe(3);
    expect((await open(folder)).changes.encoded).toBe(0);
  });

  it.skipIf(process.getuid?.() === 0)("lies elsewhere where the folder cannot be written to", async () => {
    const folder = await folderOf(three);
    await chmod(folder, 0o555);
    const fallback = await temporaryFolder();
    const notes: string[] = [];
    const index = await open(folder, { fallback, note: (line) => notes.push(line) });
    await chmod(folder, 0o755);
    expect(index.place.startsWith(fallback)).toBe(true);
    expect(notes).toHaveLength(1);
  });

  it("refuses a folder that is none", async () => {
    const folder = await folderOf(three);
    await mkdir(join(folder, "x"));
    await expect(open(join(folder, "nothing"))).rejects.toThrow(/expected a folder, got ENOENT/);
    await expect(open(join(folder, "a.ppm"))).rejects.toThrow(/expected a folder/);
  });
});

/** Turns a byte of a file over. */
async function patch(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}
