/** The bytes of a picture that was named. */
import { DataError, FileError } from "../../errors.ts";
import { localPath, readBytes } from "../../io/index.ts";
import { reasonOf } from "./list.ts";

/** Larger files are refused before they are read. */
export const MAX_IMAGE_BYTES: number = 1 << 28;

/** The bytes of a picture at a path or address, or why there are none. An address is tried a second time. */
export async function loadInput(location: string, signal?: AbortSignal): Promise<Uint8Array | string> {
  try {
    const bytes = await readBytes(localPath(location), MAX_IMAGE_BYTES, { signal, retries: 1 });
    return bytes.length > 0 ? bytes : "expected a picture, got an empty file";
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof FileError || error instanceof DataError) return reasonOf(error, location);
    throw error;
  }
}
