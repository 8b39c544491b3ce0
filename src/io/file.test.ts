import { mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../errors.ts";
import { openFile } from "./file.ts";

describe("openFile", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "flava-file-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("streams one and the same file to its end, also where another takes its name meanwhile", async () => {
    const path = join(folder, "a.bin");
    await writeFile(path, Buffer.alloc(600_000, 1));
    await writeFile(join(folder, "b.bin"), Buffer.alloc(600_000, 2));
    const file = await openFile(path);
    let sum = 0;
    for await (const chunk of file.stream(100_000)) {
      await rename(join(folder, "b.bin"), path).catch(() => undefined);
      for (const byte of chunk) sum += byte;
    }
    expect(sum).toBe(500_000);
    await file.close();
  });

  it("refuses a file that became shorter while it was streamed, instead of ending early", async () => {
    const path = join(folder, "a.bin");
    await writeFile(path, Buffer.alloc(600_000));
    const file = await openFile(path);
    const reading = (async () => {
      for await (const _ of file.stream()) await truncate(path, 300_000);
    })();
    await expect(reading).rejects.toThrow(FileError);
    await expect(file.slice(0)).rejects.toThrow(/became shorter while it was read/);
    await file.close();
  });
});
