/** Byte ranges of a local file (Node). */
import { type FileHandle, open } from "node:fs/promises";
import { CheckpointError } from "../errors.ts";
import type { ByteSource } from "./bytes.ts";

/** One read call takes less than 2 GiB. */
const MAX_READ_BYTES = 1 << 30;

/** Opens a local file. Throws CheckpointError if it is missing, a folder, or unreadable. */
export async function openByteFile(path: string): Promise<ByteSource> {
  const handle = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError(`${path}: expected a readable file, got ${cause.code ?? cause.message}`, undefined, {
      cause,
    });
  });
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new CheckpointError(`${path}: expected a file, got ${stat.isDirectory() ? "a folder" : "something else"}`);
  }
  return {
    name: path,
    byteLength: stat.size,
    slice: (start, end) => readRange(path, handle, stat.size, start, end),
    close: () => handle.close(),
  };
}

async function readRange(
  path: string,
  handle: FileHandle,
  byteLength: number,
  start: number,
  end: number,
): Promise<ArrayBuffer> {
  if (start < 0 || end > byteLength || start > end)
    throw new CheckpointError(`${path}: expected bytes ${start}..${end}, got a file of ${byteLength} bytes`);
  const out = new Uint8Array(end - start);
  for (let filled = 0; filled < out.length; ) {
    const length = Math.min(out.length - filled, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(out, filled, length, start + filled);
    if (bytesRead === 0) throw new CheckpointError(`${path}: the file became shorter while it was read`);
    filled += bytesRead;
  }
  return out.buffer;
}
