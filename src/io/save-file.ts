/** Files that appear whole or not at all: written under a temporary name, synced, renamed (Node). */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { statOf } from "./file.ts";
import { writeError } from "./system-error.ts";

/** What every unfinished file or folder is called at its end. */
export const PARTIAL = ".partial";

/** How a file is saved. */
export interface SaveOptions {
  readonly signal?: AbortSignal | undefined;
  /** Sees every chunk that was written, e.g. for a hash or a progress line. */
  readonly onChunk?: ((chunk: Uint8Array) => void) | undefined;
}

type Chunks = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

let counter = 0;

/**
 * Writes `chunks` to `path`: to a temporary name beside it, synced, renamed, its folder synced. Resolves to the bytes written.
 * On any failure (FileError for a full disk or a refused write) the temporary file is removed and `path` is as before. What is no
 * file (/dev/stdout, a pipe) is written to as it is.
 */
export async function saveFile(path: string, chunks: Chunks, options: SaveOptions = {}): Promise<number> {
  const there = await statOf(path);
  const temporary = there && !there.isFile() ? undefined : `${path}.${process.pid}-${counter++}${PARTIAL}`;
  const count = { written: 0 };
  try {
    const handle = await open(temporary ?? path, "w");
    try {
      await writeChunks(handle, chunks, options, count);
      if (temporary) await handle.sync();
    } finally {
      await handle.close();
    }
    if (temporary) {
      await rename(temporary, path);
      await syncFolder(dirname(path));
    }
    return count.written;
  } catch (error) {
    if (temporary) await rm(temporary, { force: true });
    throw writeError(path, error, count.written);
  }
}

async function writeChunks(
  handle: FileHandle,
  chunks: Chunks,
  { signal, onChunk }: SaveOptions,
  count: { written: number },
): Promise<void> {
  for await (const chunk of pieces(chunks)) {
    signal?.throwIfAborted();
    await writeAll(handle, chunk);
    count.written += chunk.byteLength;
    onChunk?.(chunk);
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

/** Makes a folder and those above it where they are missing. Throws FileError where that is refused. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeMissing(path);
  } catch (error) {
    throw writeError(path, error);
  }
}

/** One by one: Node's recursive mkdir never ends where a folder is there and takes none, as below /proc or in a folder that was deleted. */
async function makeMissing(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const above = dirname(path);
  if (above !== path) await makeMissing(above);
  await mkdir(path).catch(async (error: unknown) => {
    if (!(await isFolder(path))) throw error; // another process made it meanwhile
  });
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

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
