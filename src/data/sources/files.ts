/** Samples of a list of files, with cursor, shards and reshuffling: what tar, parquet, CSV, JSONL and text share. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { isUrl, type Json } from "../../io/index.ts";
import { permutation, random } from "../../tensor/index.ts";
import type { PictureRow } from "./join.ts";
import type { Cursor, Order, Placed, Reading, Sample, SampleOptions, Shard } from "./source.ts";

/** Why one sample cannot be used. */
export interface Bad {
  readonly key: string;
  readonly reason: string;
}

/** One record of a file. It is loaded only where it belongs to the shard. */
export interface FileRecord {
  /** Where to go on after this record: what the reader takes as `from`. */
  readonly place: Json;
  /** Of a row of a table that names a picture and has captions. */
  readonly row?: PictureRow | undefined;
  /** `more`: captions of further rows of its picture. */
  load(reading: Reading, more?: readonly string[]): Sample | Bad | Promise<Sample | Bad>;
}

/** A file of a source, as its reader sees it. */
export interface SourceFile {
  /** Its path or URL. */
  readonly path: string;
  /** What keys of its samples begin with: unique among the files of the source. */
  readonly label: string;
  /** Reports something that was ignored without losing a sample. */
  note(key: string, reason: string): void;
  /** Tells of a bad record that is part of another. */
  refuse(key: string, reason: string): void;
}

/** Reads the records of one file, from its start (null) or from right after the record that had this place. */
export type FileReader = (file: SourceFile, from: Json, reading: Reading) => AsyncIterable<FileRecord>;

export const WHOLE: Shard = { index: 0, count: 1 };

/** Any JSON. */
export const jsonSchema: z.ZodType<Json> = z.json() as z.ZodType<Json>;

const cursorSchema = z.strictObject({
  /** Position in the list of this shard's files. */
  file: z.int().nonnegative(),
  /** Records seen before, in all files: decides the shard where there are fewer files than shards. */
  index: z.int().nonnegative(),
  at: jsonSchema,
});

/** All samples of the files. A shard takes whole files where there are enough of them, else every count-th record. */
export async function* fileSamples(
  name: string,
  list: readonly string[],
  options: SampleOptions,
  read: FileReader,
): AsyncGenerator<Placed> {
  const { shard = WHOLE, signal, onBad, cursor } = options;
  const reading = { signal, note: options.note };
  const byFile = list.length >= shard.count;
  const labels = fileLabels(list);
  const note = (key: string, reason: string): void => onBad?.({ source: name, key, reason, kept: true });
  const refuse = (key: string, reason: string): void => onBad?.({ source: name, key, reason });
  const files = orderFiles(list, options.order).filter((_, i) => !byFile || i % shard.count === shard.index);
  const start = cursor === undefined ? { file: 0, index: 0, at: null } : parseCursor(name, cursor, cursorSchema);
  let index = start.index;
  for (let file = start.file; file < files.length; file++) {
    const path = files[file]!;
    const from = file === start.file ? start.at : null;
    for await (const record of read({ path, label: labels.get(path)!, note, refuse }, from, reading)) {
      signal?.throwIfAborted();
      const mine = byFile || index % shard.count === shard.index;
      index++;
      if (!mine) continue;
      const loaded = await record.load(reading);
      if (isBad(loaded)) onBad?.({ source: name, ...loaded });
      else yield { sample: loaded, cursor: { file, index, at: record.place } };
    }
  }
}

export const isBad = (loaded: Sample | Bad): loaded is Bad => "reason" in loaded;

/**
 * The shortest ends of the paths that tell the files apart, all with the same number of parts: `00000.tar`, or
 * `a/00000.tar` where the source also has `b/00000.tar`. They do not change when the data moves as a whole.
 */
export function fileLabels(list: readonly string[]): ReadonlyMap<string, string> {
  const paths = [...new Set(list)];
  const parts = paths.map((path) => (isUrl(path) ? path.replace(/[?#].*$/, "") : path).split(/[/\\]/));
  const deepest = parts.reduce((most, { length }) => Math.max(most, length), 1);
  for (let depth = 1; depth <= deepest; depth++) {
    const labels = parts.map((names) => names.slice(-depth).join("/"));
    if (new Set(labels).size === labels.length) return new Map(paths.map((path, i) => [path, labels[i]!]));
  }
  return new Map(paths.map((path) => [path, path])); // URLs that differ only behind the ?
}

/** The files in the order of this pass. */
function orderFiles(list: readonly string[], order: Order | undefined): readonly string[] {
  if (order === undefined || list.length < 2) return list;
  return Array.from(permutation(list.length, random(order.seed, "file-order", order.epoch)), (i) => list[i]!);
}

/** Throws DataError where a cursor is not one of this source's. */
export function parseCursor<T>(name: string, cursor: Cursor, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw new DataError(
    `${name}: expected a cursor of this source, got ${JSON.stringify(cursor)}`,
    "the checkpoint belongs to other data",
    { cause: parsed.error },
  );
}
