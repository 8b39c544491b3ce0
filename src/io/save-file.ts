/** Files that appear whole or not at all: written under a temporary name, synced, renamed (Node). */
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FileError } from "../errors.ts";

/** What every unfinished file or folder is called at its end. */
export const PARTIAL = ".partial";

export interface SaveOptions {
  readonly signal?: AbortSignal | undefined;
  /** Sees every chunk that was written, e.g. for a hash or a progress line. */
  readonly onChunk?: ((chunk: Uint8Array) => void) | undefined;
}

type Chunks = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

let counter = 0;

/**
 * Writes `chunks` to `path`: to a temporary name beside it, synced, renamed, its folder synced. Resolves to the bytes written.
 * On any failure (FileError for a full disk or a refused write) the temporary file is removed and `path` is as before.
 */
export async function saveFile(path: string, chunks: Chunks, options: SaveOptions = {}): Promise<number> {
  const temporary = `${path}.${process.pid}-${counter++}${PARTIAL}`;
  let written = 0;
  try {
    const handle = await open(temporary, "w");
    try {
      for await (const chunk of pieces(chunks)) {
        options.signal?.throwIfAborted();
        await writeAll(handle, chunk);
        written += chunk.byteLength;
        options.onChunk?.(chunk);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    throw writeError(path, error, written);
  }
}

function pieces(chunks: Chunks): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof chunks === "string") return [new TextEncoder().encode(chunks)];
  return chunks instanceof Uint8Array ? [chunks] : chunks;
}

/** One write call takes less than 2 GiB. */
const MAX_WRITE_BYTES = 1 << 30;

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const length = Math.min(chunk.byteLength - done, MAX_WRITE_BYTES);
    const { bytesWritten } = await handle.write(chunk, done, length);
    done += bytesWritten;
  }
}

const HELP: Readonly<Record<string, string>> = {
  EROFS: "the file system is read-only; choose another place",
  EACCES: "choose a place that this user may write to",
  EPERM: "choose a place that this user may write to",
  ENOTEMPTY: "something is there already; remove it, or choose another place",
  EMFILE: "the process has too many files open; see ulimit -n",
};

/** A full disk and its kin as FileError; anything that is not about the file system as it is. */
export function writeError(path: string, error: unknown, written = 0): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const full = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  return new FileError(
    full
      ? `${path}: the disk is full (${code} after ${written} bytes)`
      : `${path}: expected a place that can be written, got ${code} (${syscall})`,
    full ? "free some space, or choose another folder; what was saved before is untouched" : HELP[code],
    { cause: error },
  );
}

/** Makes a folder and those above it where they are missing. Throws FileError where that is refused. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Makes a rename or a new file in `folder` last through a power cut. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what an interrupted process left unfinished in `folder`. Only the folder's one writer may call it. Returns the names. */
export async function removePartials(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(PARTIAL));
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  return names;
}
