import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { badList } from "./bad-list.ts";

const bad = (key: string, reason = "damaged"): { source: string; key: string; reason: string } => ({
  source: "s",
  key,
  reason,
});

describe("badList", () => {
  it("counts each sample once and writes it with its reason", async () => {
    const path = `${await temporaryFolder()}/bad.jsonl`;
    const list = badList(path);
    for (const entry of [bad("1"), bad("2", "cut"), bad("1"), bad("3")]) list.onBad(entry);
    await list.close();
    expect(list.count).toBe(3);
    expect(Object.fromEntries(list.reasons)).toEqual({ damaged: 2, cut: 1 });
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([bad("1"), bad("2", "cut"), bad("3")]);
  });

  it("goes on with the list of an earlier run, even one that was cut short", async () => {
    const root = await temporaryFolder();
    await writeFiles(root, { "bad.jsonl": `${JSON.stringify(bad("1"))}\n{"source":"s","ke` });
    const list = badList(`${root}/bad.jsonl`);
    list.onBad(bad("1"));
    list.onBad(bad("2"));
    await list.close();
    const lines = (await readFile(`${root}/bad.jsonl`, "utf8")).trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1)!)).toEqual(bad("2"));
    expect(list.count).toBe(1);
  });

  it("counts what was passed over without losing a sample apart, and lists it too", async () => {
    const path = `${await temporaryFolder()}/bad.jsonl`;
    const list = badList(path);
    const note = { ...bad("1", "hidden"), kept: true as const };
    for (const entry of [note, bad("1"), note, bad("1")]) list.onBad(entry);
    await list.close();
    expect([list.count, Object.fromEntries(list.reasons), Object.fromEntries(list.notes)]).toEqual([
      1,
      { damaged: 1 },
      { hidden: 1 },
    ]);
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([note, bad("1")]);
  });

  it("writes no file where nothing is bad, and fails where it cannot write", async () => {
    const root = await temporaryFolder();
    await badList(`${root}/none.jsonl`).close();
    await expect(readFile(`${root}/none.jsonl`)).rejects.toThrow(/ENOENT/);
    const list = badList(`${root}/missing/bad.jsonl`);
    list.onBad(bad("1"));
    await expect(list.close()).rejects.toThrow(/ENOENT/);
  });
});
