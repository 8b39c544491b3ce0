import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataError, FileError } from "../errors.ts";
import { readJson, saveJson } from "./json.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-json-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("readJson", () => {
  it("reads what saveJson wrote", async () => {
    const value = { a: [1, null, "é"], b: { c: true } };
    await saveJson(join(folder, "a.json"), value);
    expect(await readJson(join(folder, "a.json"))).toEqual(value);
  });

  it("says what is missing: the file, or its folder too", async () => {
    await expect(readJson(join(folder, "none.json"))).rejects.toThrow(
      /none\.json: expected a file, got ENOENT: no such file or directory$/,
    );
    const noFolder = readJson(join(folder, "nowhere", "x.json"));
    await expect(noFolder).rejects.toThrow(FileError);
    await expect(noFolder).rejects.toThrow(/help: there is no folder .*nowhere/);
  });

  it("names the file that is no JSON", async () => {
    await writeFile(join(folder, "cut.json"), '{"a": 1');
    await expect(readJson(join(folder, "cut.json"))).rejects.toThrow(DataError);
    await expect(readJson(join(folder, "cut.json"))).rejects.toThrow(/cut\.json: expected JSON, got/);
  });
});
