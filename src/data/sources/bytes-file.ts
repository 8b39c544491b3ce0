/** Byte ranges of a local file. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { DataError } from "../../errors.ts";
import type { Bytes } from "./bytes.ts";

const CHUNK_BYTES = 1 << 18;

/** Opens a local file for reading by range. Throws DataError if it is missing, a folder, or unreadable. */
export async function openFile(path: string, signal?: AbortSignal): Promise<Bytes> {
  signal?.throwIfAborted();
  const handle = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: expected a readable file, got ${cause.code ?? cause.message}`, undefined, { cause });
  });
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new DataError(`${path}: expected a file, got ${stat.isDirectory() ? "a folder" : "something else"}`);
  }
  const byteLength = stat.size;

  const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    signal?.throwIfAborted();
    if (start < 0 || end > byteLength || start > end)
      throw new DataError(`${path}: expected bytes ${start}..${end}, got a file of ${byteLength} bytes`);
    const out = new Uint8Array(end - start);
    for (let filled = 0; filled < out.length; ) {
      const { bytesRead } = await handle.read(out, filled, out.length - filled, start + filled);
      if (bytesRead === 0) throw new DataError(`${path}: the file shrank while it was read`);
      filled += bytesRead;
    }
    return out.buffer;
  };

  async function* stream(start = 0): AsyncGenerator<Uint8Array> {
    if (start >= byteLength) return;
    for await (const chunk of createReadStream(path, { start, end: byteLength - 1, highWaterMark: CHUNK_BYTES })) {
      signal?.throwIfAborted();
      yield chunk as Uint8Array;
    }
  }

  return { name: path, byteLength, slice, stream, close: () => handle.close() };
}
