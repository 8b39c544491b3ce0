/** Byte ranges of a local file, and whether there is one (Node). */
import { constants, type Stats } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { FileError } from "../errors.ts";
import { type Bytes, checkRange } from "./bytes.ts";
import { systemReason } from "./system-error.ts";

/** Opening a pipe must not wait for somebody to write. Windows has no such flag and no such files. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const CHUNK_BYTES = 1 << 18;
/** One read call takes less than 2 GiB. */
const MAX_READ_BYTES = 1 << 30;

/** What lies at a path; undefined where nothing does, or nothing that can be asked. */
export const statOf = (path: string): Promise<Stats | undefined> => stat(path).catch(() => undefined);

/** Names in a folder, in no order; none where there is no such folder. Throws FileError if it cannot be read. */
export const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw new FileError(`${folder}: expected a folder, got ${systemReason(cause)}`, undefined, { cause });
  });

/** Opens a local file for reading by range. Throws FileError if it is missing, a folder, or unreadable. */
export async function openFile(path: string, signal?: AbortSignal): Promise<Bytes> {
  signal?.throwIfAborted();
  const handle = await open(path, READ).catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a readable file, got ${systemReason(cause)}`, undefined, { cause });
  });
  const found = await handle.stat();
  if (!found.isFile()) {
    await handle.close();
    throw new FileError(`${path}: expected a file, got ${found.isDirectory() ? "a folder" : "a pipe or a device"}`);
  }
  const byteLength = found.size;
  return {
    name: path,
    byteLength,
    async slice(start, end = byteLength) {
      signal?.throwIfAborted();
      checkRange(path, start, end, byteLength);
      return readRange(path, handle, start, end);
    },
    async into(start, target) {
      signal?.throwIfAborted();
      checkRange(path, start, start + target.length, byteLength);
      await readInto(path, handle, start, target);
    },
    async *stream(start = 0) {
      for (let at = start; at < byteLength; at += CHUNK_BYTES) {
        signal?.throwIfAborted();
        yield new Uint8Array(await readRange(path, handle, at, Math.min(at + CHUNK_BYTES, byteLength)));
      }
    },
    close: () => handle.close(),
  };
}

async function readRange(path: string, handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const out = new Uint8Array(end - start);
  await readInto(path, handle, start, out);
  return out.buffer;
}

async function readInto(path: string, handle: FileHandle, start: number, out: Uint8Array): Promise<void> {
  for (let filled = 0; filled < out.length; ) {
    const length = Math.min(out.length - filled, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(out, filled, length, start + filled).catch((cause: Error) => {
      throw new FileError(`${path}: expected ${out.length} bytes at ${start}, got ${cause.message}`, undefined, {
        cause,
      });
    });
    if (bytesRead === 0) throw new FileError(`${path}: the file became shorter while it was read`);
    filled += bytesRead;
  }
}
