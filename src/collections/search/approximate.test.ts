import { writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { COLOURS, colourEncoder, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { approximateSearch } from "./approximate.ts";
import { openFolderIndex } from "./folder-index.ts";

/** What usearch does, without its package: all rows in any order, and a file that holds how many there are. */
class Index {
  static added = 0;
  #size = 0;
  add(keys: BigUint64Array): void {
    Index.added += keys.length;
    this.#size += keys.length;
  }
  search = (_: Float32Array, count: number) => ({
    keys: BigUint64Array.from({ length: count }, (_, i) => BigInt(this.#size - 1 - i)),
  });
  size = (): number => this.#size;
  save = (path: string): void => writeFileSync(path, String(this.#size));
  load(): void {
    this.#size = 4;
  }
}

describe("approximateSearch", () => {
  it("orders candidates by their exact products, and keeps the graph beside the rows", async () => {
    const folder = await temporaryFolder();
    const files = Object.entries(COLOURS).map(([name, colour]) => [`${name}.ppm`, colourPicture(colour)]);
    await writeFiles(folder, Object.fromEntries(files));
    const encoder = colourEncoder();
    const index = await openFolderIndex(folder, encoder, { workers: 0 });
    const load = async () => ({ default: { Index } });
    const query = await encoder.texts(["blue"]);
    for (const added of [4, 4]) {
      const search = await approximateSearch(index, { required: true, load });
      expect(search(query, 2)).toEqual(index.search(query, 2));
      expect(Index.added).toBe(added);
    }
    expect(await readdir(index.place)).toContain(`${index.generation}.usearch`);
    await writeFiles(folder, { "more.ppm": colourPicture([99, 9, 99]) });
    await approximateSearch(await openFolderIndex(folder, encoder, { workers: 0 }), { required: true, load });
    expect(Index.added).toBe(5);
  });

  it("compares every row where the package is missing, or says how to install it", async () => {
    const folder = await temporaryFolder();
    await writeFiles(folder, { "red.ppm": colourPicture(COLOURS.red!) });
    const index = await openFolderIndex(folder, colourEncoder(), { workers: 0 });
    const load = () => Promise.reject(new Error("Cannot find package"));
    const notes: string[] = [];
    expect(await approximateSearch(index, { required: false, load, note: (line) => notes.push(line) })).toBe(
      index.search,
    );
    expect(notes).toEqual([expect.stringContaining("npm install usearch")]);
    await expect(approximateSearch(index, { required: true, load })).rejects.toThrow(/help: npm install usearch/);
  });
});
