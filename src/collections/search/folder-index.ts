/**
 * The pictures of a folder as rows that can be searched, kept on disk and brought up to date when it is opened: new and changed files
 * are embedded, moved ones keep their row, deleted ones go. See docs/search.md.
 */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError, FileError } from "../../errors.ts";
import { lockFolder, makeFolder } from "../../io/index.ts";
import type { Encoder } from "../encoder.ts";
import { type Hit, nearestRows } from "../exact.ts";
import type { BadInput } from "../inputs/index.ts";
import { type LogHeader, openVectorLog, removeVectorLog, rewriteVectorLog, type VectorLog } from "../vector-log.ts";
import { type FileRecord, findFiles, type IndexedFile, knownFiles } from "./files.ts";
import { type Changes, updateIndex } from "./update.ts";

/** Where indexes lie in the folder that they are of. */
export const INDEX_FOLDER = ".flava-index";

/** How a folder is indexed. */
export interface IndexOptions {
  /** Where the index lies, instead of `.flava-index` in the folder. */
  readonly place?: string | undefined;
  /** Where it lies, if the folder cannot be written to. */
  readonly fallback?: string | undefined;
  /** Threads that decode. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Files looked into, and how many there are to look into. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Lines for people: an index that is built anew, one that lies elsewhere, a process that is waited for. */
  readonly note?: ((line: string) => void) | undefined;
}

/** A picture that was found. */
export interface Found {
  /** From the folder. */
  readonly path: string;
  /** Cosine with the query. */
  readonly score: number;
}

/** A folder that can be searched. */
export interface FolderIndex {
  /** Where it lies on disk. */
  readonly place: string;
  /** Pictures that can be found. */
  readonly pictures: number;
  readonly changes: Changes;
  /** Files that are no pictures or cannot be read. */
  readonly bad: readonly BadInput[];
  readonly passed: { readonly hidden: number; readonly others: number };
  /** All rows, (N, width), dead ones included. */
  readonly rows: Float32Array;
  readonly width: number;
  /** Changes when rows get other numbers. */
  readonly generation: string;
  readonly signal: AbortSignal | undefined;
  /** The paths that have this row; none where it is dead. */
  pathsOf(row: number): readonly string[];
  /** The `count` pictures nearest to a query of the same encoder, best first. */
  search(query: Float32Array, count: number): Found[];
}

/** The share of rows that may be dead before the log is rewritten. */
const MOST_DEAD = 0.25;
const FEW_ROWS = 100;
const REWRITE_ROWS = 1000;

/**
 * Opens the index of a folder for an encoder and brings it up to date. Other processes that index the same folder wait for each other.
 * Throws DataError where the folder cannot be read, FileError where the index cannot be written.
 */
export async function openFolderIndex(
  folder: string,
  encoder: Encoder,
  options: IndexOptions = {},
): Promise<FolderIndex> {
  const found = await findFiles(folder, options.signal);
  const { place, lock } = await lockPlace(folder, encoder, options);
  await using _ = lock;
  const header = { width: encoder.width, about: { encoder: encoder.identity, records: 1 } };
  let log = await openOrRebuild(place, header, options);
  try {
    const replace = (next: VectorLog<FileRecord>): void => {
      log = next;
    };
    const index = (): Promise<FolderIndex> => bringUpToDate({ folder, place, found, log, encoder, options, replace });
    try {
      return await index();
    } catch (error) {
      if (!(error instanceof DamagedIndex)) throw error;
      await log.close();
      log = await rebuild(place, header, options, error);
      return await index();
    }
  } finally {
    await log.close();
  }
}

/** Takes the place's lock. Where nothing may be written, the index lies at the fallback, which is said. */
async function lockPlace(
  folder: string,
  { identity }: Encoder,
  { place = join(folder, INDEX_FOLDER), fallback, note, signal }: IndexOptions,
): Promise<{ place: string; lock: AsyncDisposable }> {
  const name = identity.slice(0, 16);
  const at = async (path: string): Promise<{ place: string; lock: AsyncDisposable }> => {
    await makeFolder(path);
    return { place: path, lock: await lockFolder(path, { wait: true, note, signal }) };
  };
  try {
    return await at(join(place, name));
  } catch (error) {
    const code = error instanceof FileError && (error.cause as NodeJS.ErrnoException | undefined)?.code;
    if (fallback === undefined || !["EACCES", "EROFS", "EPERM"].includes(code || "")) throw error;
    const real = await realpath(folder).catch(() => resolve(folder));
    const other = join(fallback, createHash("sha256").update(real).digest("hex").slice(0, 16), name);
    note?.(`${place} cannot be written to (${code}): the index lies in ${other}`);
    return at(other);
  }
}

async function openOrRebuild(place: string, header: LogHeader, options: IndexOptions): Promise<VectorLog<FileRecord>> {
  try {
    const log = await openVectorLog<FileRecord>(place, header);
    const same = log.header.width === header.width && JSON.stringify(log.header.about) === JSON.stringify(header.about);
    if (same) return log;
    await log.close();
    throw new DataError(`${place}: expected an index of this model, got one of another`);
  } catch (error) {
    if (!(error instanceof DataError || error instanceof SyntaxError)) throw error;
    return rebuild(place, header, options, error);
  }
}

async function rebuild(
  place: string,
  header: LogHeader,
  { note }: IndexOptions,
  why: Error,
): Promise<VectorLog<FileRecord>> {
  note?.(`the index is built anew: ${why.message.split("\n")[0]}`);
  await removeVectorLog(place);
  return openVectorLog<FileRecord>(place, header);
}

/** Rows that are not those that were written. */
class DamagedIndex extends Error {}

interface Job {
  readonly folder: string;
  readonly place: string;
  readonly found: Awaited<ReturnType<typeof findFiles>>;
  readonly log: VectorLog<FileRecord>;
  readonly encoder: Encoder;
  readonly options: IndexOptions;
  replace(log: VectorLog<FileRecord>): void;
}

async function bringUpToDate({ folder, place, found, log, encoder, options, replace }: Job): Promise<FolderIndex> {
  const known = knownFiles(log.batches);
  const { changes, unread } = await updateIndex({ ...options, folder, log, known, found: found.files, encoder });
  let files = [...known.values()];
  let generation = log.generation;
  let rows = await log.read().catch((error: unknown) => {
    throw error instanceof DataError ? new DamagedIndex(error.message, { cause: error }) : error;
  });
  const live = new Set(files.flatMap(({ row }) => row ?? []));
  if (live.size < log.rows * (1 - MOST_DEAD) && log.rows > FEW_ROWS) {
    await log.close();
    const smaller = await rewrite(place, log.header, files, rows);
    replace(smaller);
    generation = smaller.generation;
    files = [...knownFiles(smaller.batches).values()];
    rows = await smaller.read();
  }
  const remembered = files.flatMap(({ path, bad }) => (bad === undefined ? [] : [{ key: path, reason: bad }]));
  const bad = [...found.bad, ...unread, ...remembered];
  const { width } = encoder;
  const { passed } = found;
  return { ...searchable(files, rows, width), width, generation, place, changes, bad, passed, signal: options.signal };
}

/** Only the rows that a file has, in the order of the files. */
async function rewrite(
  place: string,
  header: LogHeader,
  files: readonly IndexedFile[],
  rows: Float32Array,
): Promise<VectorLog<FileRecord>> {
  const { width } = header;
  async function* batches() {
    let next = 0;
    const moved = new Map<number, number>();
    for (let from = 0; from < files.length; from += REWRITE_ROWS) {
      const kept: Float32Array[] = [];
      const records = files.slice(from, from + REWRITE_ROWS).map((file) => {
        if (file.row === undefined) return file;
        if (!moved.has(file.row)) {
          moved.set(file.row, next++);
          kept.push(rows.subarray(file.row * width, (file.row + 1) * width));
        }
        return { ...file, row: moved.get(file.row)! };
      });
      const part = new Float32Array(kept.length * width);
      for (const [i, row] of kept.entries()) part.set(row, i * width);
      yield { records, rows: part };
    }
  }
  return rewriteVectorLog<FileRecord>(place, header, batches());
}

function searchable(files: readonly IndexedFile[], rows: Float32Array, width: number) {
  const paths: (string[] | undefined)[] = Array.from({ length: rows.length / width });
  let pictures = 0;
  for (const { path, row } of files) {
    if (row === undefined) continue;
    pictures++;
    paths[row] = [...(paths[row] ?? []), path];
  }
  const pathsOf = (row: number): readonly string[] => paths[row] ?? [];
  const search = (query: Float32Array, count: number): Found[] => {
    const hits: Hit[] = nearestRows(rows, query, count, (row) => paths[row] !== undefined);
    return hits.flatMap(({ row, score }) => pathsOf(row).map((path) => ({ path, score }))).slice(0, count);
  };
  return { pictures, rows, pathsOf, search };
}
