/** What an index knows of each file, and what has become of the files since. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { listFolder } from "../../data/sources/listing.ts";
import { mapAhead } from "../ahead.ts";
import { type BadInput, reasonOf } from "../inputs/index.ts";
import type { LogBatch } from "../vector-log.ts";

/** A file as it was when it was last looked into. */
export interface IndexedFile {
  /** From the folder, with / between its parts. */
  readonly path: string;
  readonly size: number;
  /** Milliseconds. */
  readonly mtime: number;
  /** When it was looked into, in milliseconds. */
  readonly seen: number;
  /** SHA-256 of its bytes. */
  readonly hash: string;
  /** Its row; absent where it is no picture. */
  readonly row?: number;
  /** Why it has no row. */
  readonly bad?: string;
}

/** What the log of an index records: a file as it is now, or that it is gone. */
export type FileRecord = IndexedFile | { readonly path: string; readonly gone: true };

/** A file that lies in the folder now. */
export interface FoundFile {
  readonly size: number;
  readonly mtime: number;
}

/** What lies in the folder. */
export interface FoundFiles {
  readonly files: ReadonlyMap<string, FoundFile>;
  /** Folders that cannot be read. */
  readonly bad: readonly BadInput[];
  readonly passed: { readonly hidden: number; readonly others: number };
}

/** A file that was written while it was indexed may change once more without a new time: clocks of file systems tick as slowly as this. */
const TICK_MS = 2000;
const STATS_AHEAD = 32;

/** The last that a log says of each file. */
export function knownFiles(batches: readonly LogBatch<FileRecord>[]): Map<string, IndexedFile> {
  const files = new Map<string, IndexedFile>();
  for (const { records } of batches) applyRecords(files, records);
  return files;
}

/** Brings what is known of files up to date. */
export function applyRecords(files: Map<string, IndexedFile>, records: readonly FileRecord[]): void {
  for (const record of records) {
    if ("gone" in record) files.delete(record.path);
    else files.set(record.path, record);
  }
}

/** All pictures below the folder, hidden ones and those that vanish meanwhile left out. Throws DataError where it cannot be read. */
export async function findFiles(folder: string, signal?: AbortSignal): Promise<FoundFiles> {
  const bad: BadInput[] = [];
  const { pictures, passed } = await listFolder(folder, (path, error) =>
    bad.push({ key: path, reason: reasonOf(error, join(folder, path)) }),
  );
  const files = new Map<string, FoundFile>();
  const stats = mapAhead(pictures, STATS_AHEAD, async ({ path }) => {
    signal?.throwIfAborted();
    return { path, found: await stat(join(folder, path)).catch(() => undefined) };
  });
  for await (const { path, found } of stats) if (found) files.set(path, { size: found.size, mtime: found.mtimeMs });
  const hidden = passed.filter(({ reason }) => reason.includes("hidden")).length;
  return { files, bad, passed: { hidden, others: passed.length - hidden } };
}

/** Whether a file has to be looked into. */
export const isStale = (known: IndexedFile | undefined, { size, mtime }: FoundFile): boolean =>
  known === undefined || known.size !== size || known.mtime !== mtime || known.seen - mtime < TICK_MS;
