/**
 * Rows of one picture belong together, as in COCO: one sample with all its captions. Else matching would take a caption of the
 * same picture for a wrong one, and retrieval would count the right picture as wrong four times in five (Flickr's tables).
 */
import { z } from "zod";
import { isUrl, statOf } from "../../io/index.ts";
import { captionsOf } from "./fields.ts";
import { type FileReader, type FileRecord, isBad, type SourceFile } from "./files.ts";

/** What a row says that names a picture and has captions. */
export interface PictureRow {
  readonly key: string;
  /** Equal for rows that belong together. */
  readonly picture: string;
  readonly text: unknown;
}

/** Larger tables are not held in memory: only rows that follow each other are put together. */
const MAX_TABLE_BYTES = 1 << 26;
const MAX_REMEMBERED = 1 << 20;
const placeSchema = z.strictObject({ picture: z.int().nonnegative() });

/**
 * A reader whose records of one picture are one. Rows that follow each other are put together as they come; a table on
 * this machine of up to 64 MiB is looked through first, and read whole where rows of a picture lie apart.
 */
export function rowsTogether(read: FileReader): FileReader {
  const apart = new Map<string, Promise<boolean>>();
  return async function* (file, from, reading) {
    const at = placeSchema.safeParse(from).data?.picture;
    if (at === undefined && from === null && !apart.has(file.path))
      apart.set(file.path, liesApart(read({ ...file, note: () => undefined }, null, reading), file.path));
    if (at !== undefined || (from === null && (await settledOr(apart, file.path))))
      yield* joinAll(read(file, null, reading), at ?? 0, file);
    else yield* joinNeighbours(read(file, from, reading), file);
  };
}

/** A failure is met again, and said, by the reading itself. */
async function settledOr(found: Map<string, Promise<boolean>>, path: string): Promise<boolean> {
  try {
    return await found.get(path)!;
  } catch {
    found.delete(path);
    return false;
  }
}

/** Whether rows of a picture lie apart in a table that may be read whole. */
async function liesApart(records: AsyncIterable<FileRecord>, path: string): Promise<boolean> {
  const size = isUrl(path) ? undefined : (await statOf(path))?.size;
  if (size === undefined || size > MAX_TABLE_BYTES) return false;
  const seen = new Set<string>();
  let last: string | undefined;
  for await (const { row } of records) {
    if (row !== undefined && row.picture !== last) {
      if (seen.has(row.picture)) return true;
      seen.add(row.picture);
    }
    last = row?.picture;
  }
  return false;
}

async function* joinNeighbours(records: AsyncIterable<FileRecord>, file: SourceFile): AsyncGenerator<FileRecord> {
  const seen = new Set<string>();
  let group: FileRecord[] = [];
  for await (const record of records) {
    const { row } = record;
    if (group.length > 0 && group[0]!.row!.picture !== row?.picture) {
      yield joined(group, file);
      group = [];
    }
    if (row === undefined) {
      yield record;
      continue;
    }
    if (group.length === 0) {
      if (seen.has(row.picture))
        file.note(
          row.key,
          "its picture has other captions further up: sort the table by picture to keep them together",
        );
      else if (seen.size < MAX_REMEMBERED) seen.add(row.picture);
    }
    group.push(record);
  }
  if (group.length > 0) yield joined(group, file);
}

/** All pictures in the order of their first rows, from picture number `from` on. */
async function* joinAll(
  records: AsyncIterable<FileRecord>,
  from: number,
  file: SourceFile,
): AsyncGenerator<FileRecord> {
  const all: FileRecord[] = [];
  for await (const record of records) all.push(record);
  const groups = groupRows(all);
  for (let i = from; i < groups.length; i++) yield { ...joined(groups[i]!, file), place: { picture: i + 1 } };
}

/** The rows of each picture, in the order of the first ones. */
export function groupRows<R extends Pick<FileRecord, "row">>(records: readonly R[]): R[][] {
  const groups: R[][] = [];
  const byPicture = new Map<string, R[]>();
  for (const record of records) {
    const { row } = record;
    const known = row && byPicture.get(row.picture);
    if (known) known.push(record);
    else {
      const group = [record];
      groups.push(group);
      if (row) byPicture.set(row.picture, group);
    }
  }
  return groups;
}

/**
 * One record of the rows of a picture: a row without a caption is noted where another has one. Where the picture cannot be
 * used, each of its rows is bad.
 */
export function joined(
  group: readonly FileRecord[],
  { note, refuse }: Pick<SourceFile, "note" | "refuse">,
): FileRecord {
  if (group.length === 1) return group[0]!;
  return {
    place: group.at(-1)!.place,
    async load(reading) {
      const rows = group.map((record) => ({ record, key: record.row!.key, captions: usable(record.row!.text) }));
      const first = rows.find(({ captions }) => Array.isArray(captions)) ?? rows[0]!;
      const others = rows.filter((row) => row !== first);
      const more = others.flatMap(({ captions }) => (typeof captions === "string" ? [] : captions));
      const loaded = await first.record.load(reading, more);
      for (const { key, captions } of others) {
        if (isBad(loaded)) refuse(key, typeof captions === "string" ? captions : loaded.reason);
        else if (typeof captions === "string") note(key, `${captions}; its picture has others`);
      }
      return loaded;
    },
  };
}

function usable(text: unknown): readonly string[] | string {
  const captions = captionsOf(text);
  return captions.length === 0 ? "the caption is missing" : captions;
}
