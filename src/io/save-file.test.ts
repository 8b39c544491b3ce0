import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileError } from "../errors.ts";
import { openSafetensors, saveSafetensors } from "../hub/safetensors/file.ts";
import { entriesOf } from "../hub/safetensors/write.ts";
import { fromNumbers, toNumbers } from "../tensor/index.ts";
import { makeFolder, removePartials, saveFile } from "./save-file.ts";

/** Bytes that the pretended disk takes before it is full. */
const disk = vi.hoisted(() => ({ room: Number.POSITIVE_INFINITY, shortWrites: false }));

vi.mock("node:fs/promises", async (original) => {
  const fs = await original<typeof import("node:fs/promises")>();
  const open: typeof fs.open = async (...args) => {
    const handle = await fs.open(...args);
    const write = handle.write.bind(handle) as (...a: unknown[]) => Promise<unknown>;
    handle.write = (async (buffer: Uint8Array, at: number, length: number) => {
      disk.room -= length;
      if (disk.room < 0)
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
      return write(buffer, at, disk.shortWrites ? Math.ceil(length / 2) : length);
    }) as typeof handle.write;
    return handle;
  };
  return { ...fs, open };
});

describe("saveFile", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "flava-save-"));
  });
  afterEach(async () => {
    Object.assign(disk, { room: Number.POSITIVE_INFINITY, shortWrites: false });
    await rm(folder, { recursive: true, force: true });
  });

  it("writes the chunks and leaves nothing else behind", async () => {
    const seen: number[] = [];
    const path = join(folder, "a.bin");
    const chunks = [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)];
    expect(await saveFile(path, chunks, { onChunk: (c) => seen.push(c.length) })).toBe(3);
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    expect(seen).toEqual([2, 0, 1]);
    expect(await readdir(folder)).toEqual(["a.bin"]);
  });

  it("goes on where the system took only a part of a chunk", async () => {
    disk.shortWrites = true;
    const path = join(folder, "a.bin");
    await saveFile(
      path,
      Uint8Array.from({ length: 1000 }, (_, i) => i),
    );
    expect((await readFile(path)).equals(Buffer.from(Uint8Array.from({ length: 1000 }, (_, i) => i)))).toBe(true);
  });

  it("says that the disk is full, keeps the old file and removes the new part", async () => {
    const path = join(folder, "model.safetensors");
    await saveSafetensors(path, entriesOf({ w: fromNumbers([1, 2, 3], [3]) }));
    disk.room = 100;
    const failed = saveSafetensors(path, entriesOf({ w: fromNumbers(new Float32Array(100), [100]) }));
    await expect(failed).rejects.toThrow(FileError);
    await expect(failed).rejects.toThrow(
      /model\.safetensors: the disk is full \(ENOSPC after \d+ bytes\)\n {2}help: free/,
    );
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
    await using file = await openSafetensors(path);
    expect(toNumbers(await file.read("w"))).toEqual([1, 2, 3]);
  });

  it("keeps the old file when the source of the bytes fails or the signal fires", async () => {
    const path = join(folder, "a.txt");
    await saveFile(path, "old");
    const broken = (function* () {
      yield Uint8Array.of(1);
      throw new Error("the engine is gone");
    })();
    await expect(saveFile(path, broken)).rejects.toThrow(/^the engine is gone$/);
    await expect(saveFile(path, "new", { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(await readdir(folder)).toEqual(["a.txt"]);
    expect(await readFile(path, "utf8")).toBe("old");
  });

  it("names the place when it cannot be written", async () => {
    await expect(saveFile(join(folder, "missing", "a.txt"), "x")).rejects.toThrow(/missing\/a\.txt: .* got ENOENT/);
  });

  it.runIf(existsSync("/dev/full"))("writes to a device as it is, and says that it is full", async () => {
    await expect(saveFile("/dev/full", "x")).rejects.toThrow(/^\/dev\/full: the disk is full \(ENOSPC/);
    expect((await stat("/dev/full")).isCharacterDevice()).toBe(true);
    expect(await saveFile("/dev/null", "x")).toBe(1);
    await expect(saveFile(folder, "x")).rejects.toThrow(/got EISDIR/);
  });

  it.skipIf(process.platform !== "linux")("does not wait for a folder that no one can make", async () => {
    await expect(makeFolder("/proc/none/deeper")).rejects.toThrow(/\/proc\/none\/deeper/);
  });

  it("makes folders that several make at once, and refuses one below a file", async () => {
    const deep = join(folder, "a", "b", "c");
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(deep)));
    await makeFolder(`${deep}/`);
    await writeFile(join(deep, "file"), "");
    await expect(makeFolder(join(deep, "file", "d"))).rejects.toThrow(FileError);
  });

  it("removePartials removes unfinished files and folders only", async () => {
    await writeFile(join(folder, "a.txt.1-0.partial"), "x");
    await writeFile(join(folder, "a.txt"), "x");
    expect(await removePartials(folder)).toEqual(["a.txt.1-0.partial"]);
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });
});

describe("openSafetensors", () => {
  it("names a file that is missing, and a folder", async () => {
    await expect(openSafetensors("/nowhere/x.safetensors")).rejects.toThrow(/\/nowhere\/x\.safetensors: .* got ENOENT/);
    await expect(openSafetensors(tmpdir())).rejects.toThrow(/got a folder|EISDIR/);
  });
});
