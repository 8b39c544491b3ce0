/** Files of text, read forward from a byte; those packed with gzip are unpacked in passing. */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { DataError } from "../../errors.ts";
import type { Bytes } from "../../io/bytes.ts";
import { concatBytes, openBytes } from "../../io/index.ts";
import type { Reading } from "./source.ts";

/** Bytes of text. Places count unpacked bytes. */
export type TextFile = Pick<Bytes, "name" | "stream" | "close">;

const CHUNK_BYTES = 1 << 18;
/** What may come out of a packed file: text shrinks 3 to 20 times, a bomb a thousand times. */
const MAX_RATIO = 200;
const ALWAYS_FINE_BYTES = 2 ** 30;

/**
 * Opens a text file, by its first bytes and not by its name. A stream of a packed file from byte n unpacks and passes by the
 * n bytes before. Throws DataError for UTF-16.
 */
export async function openText(path: string, reading: Reading): Promise<TextFile> {
  const file = await openBytes(path, reading);
  const head = new Uint8Array(await file.slice(0, Math.min(2, file.byteLength)));
  const magic = head.length < 2 ? 0 : (head[0]! << 8) | head[1]!;
  if (magic === 0x1f8b) return { name: path, stream: (start = 0) => unpacked(file, start), close: file.close };
  if (magic !== 0xfffe && magic !== 0xfeff) return file;
  await file.close();
  throw new DataError(`${path}: expected UTF-8, got UTF-16`, "save it as UTF-8, as with iconv -f UTF-16 -t UTF-8");
}

/** The whole of a text file, unpacked. Throws DataError past `maxBytes`. */
export async function readText(path: string, maxBytes: number, reading: Reading): Promise<Uint8Array> {
  const file = await openText(path, reading);
  const pieces: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const piece of file.stream()) {
      total += piece.length;
      if (total > maxBytes) throw new DataError(`${path}: expected at most ${maxBytes} bytes, got more`);
      pieces.push(piece);
    }
  } finally {
    await file.close();
  }
  return concatBytes(pieces);
}

async function* unpacked(file: Bytes, start: number): AsyncGenerator<Uint8Array> {
  const most = Math.max(ALWAYS_FINE_BYTES, MAX_RATIO * file.byteLength);
  const unzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const input = Readable.from(file.stream(), { objectMode: false });
  input.on("error", (error) => unzip.destroy(error));
  input.pipe(unzip);
  let position = 0;
  try {
    for await (const chunk of unzip as AsyncIterable<Uint8Array>) {
      position += chunk.length;
      if (position > most)
        throw new DataError(`${file.name}: expected at most ${most} bytes when unpacked, got more`, "unpack it first");
      const skip = Math.max(0, start - (position - chunk.length));
      if (skip < chunk.length) yield chunk.subarray(skip);
    }
  } catch (cause) {
    if (!String((cause as { code?: unknown })?.code).startsWith("Z_")) throw cause;
    throw new DataError(`${file.name}: expected whole gzip data: ${(cause as Error).message}`, "copy it again", {
      cause,
    });
  } finally {
    input.destroy();
    unzip.destroy();
  }
}
