/** Small questions about files that the layouts share. */
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DataError } from "../../errors.ts";
import { decodeUtf8, openBytes, readBytes, statOf } from "../../io/index.ts";

/** A list of samples has at most these bytes. */
const MAX_LIST_BYTES = 1 << 29;

/** The first of some names that a folder has. */
export async function firstThere(root: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if (await statOf(join(root, name))) return name;
  return undefined;
}

/** The text of a file. Throws DataError where it is no UTF-8. */
export async function readList(path: string, signal?: AbortSignal): Promise<string> {
  const text = decodeUtf8(await readBytes(path, MAX_LIST_BYTES, { signal }));
  if (text === undefined) throw new DataError(`${path}: expected UTF-8 text`);
  return text.replace(/^\ufeff/, "");
}

/** Its lines without those that are blank. */
export const readLinesOf = async (path: string, signal?: AbortSignal): Promise<string[]> =>
  (await readList(path, signal)).split(/\r?\n/).filter((line) => line.trim() !== "");

/** A file's bytes, unpacked where its name ends in .gz. Throws DataError past `maxBytes`, before they are allocated. */
export async function readUnpacked(path: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await readBytes(path, maxBytes, { signal });
  if (!path.endsWith(".gz")) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    throw new DataError(
      `${path}: expected gzip of at most ${maxBytes} bytes, got ${(cause as Error).message}`,
      undefined,
      {
        cause,
      },
    );
  }
}

/** Records of one length in a file. Throws DataError where its size is no multiple of that. */
export async function recordCount(path: string, length: number, signal?: AbortSignal): Promise<number> {
  const file = await openBytes(path, { signal });
  await file.close();
  if (file.byteLength % length !== 0)
    throw new DataError(`${path}: expected records of ${length} bytes, got a file of ${file.byteLength} bytes`);
  return file.byteLength / length;
}

/** Bytes start..end−1 of a file. */
export async function readRange(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
  const file = await openBytes(path, { signal });
  try {
    return new Uint8Array(await file.slice(start, end));
  } finally {
    await file.close();
  }
}
