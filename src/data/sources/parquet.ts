/** Parquet files in the Hub's layout (`image{bytes,path}`, text and label columns), read by ranges through hyparquet. */
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "./byte-reader.ts";
import { type Bytes, baseName, openBytes } from "./bytes.ts";
import { firstOf, IMAGE_KEYS, INVALID_UTF8, LABEL_KEYS, TEXT_KEYS, toSample } from "./fields.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor } from "./files.ts";
import { loadImage } from "./record.ts";
import type { JsonValue, Sample, Source } from "./source.ts";

export interface ParquetColumns {
  readonly image?: string | undefined;
  readonly text?: string | undefined;
  readonly label?: string | undefined;
  /** The folder or URL that image paths start from, where a row holds no bytes. */
  readonly root?: string | undefined;
}

type Row = Record<string, unknown>;

const MAX_GROUP_BYTES = 2 ** 31;
const FOOTER_BYTES = 1 << 16;
const placeSchema = z.strictObject({ row: z.int().nonnegative() });

/** The rows of parquet files, given by paths or URLs. Keys are `file.parquet:row`. One row group is held at a time. */
export function parquetSource(name: string, files: readonly string[], columns: ParquetColumns = {}): Source {
  const read = (file: string, from: JsonValue, signal?: AbortSignal): AsyncGenerator<FileRecord> =>
    readParquet(file, from, columns, signal);
  return { name, samples: (options = {}) => fileSamples(name, files, options, read) };
}

async function* readParquet(
  path: string,
  from: JsonValue,
  columns: ParquetColumns,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileRecord> {
  const start = from === null ? 0 : parseCursor(path, from, placeSchema).row;
  const file = await openBytes(path, { signal });
  try {
    const metadata = await readFooter(file);
    const chosen = chooseColumns(file.name, metadata, columns);
    let groupStart = 0;
    for (const group of metadata.row_groups) {
      const groupEnd = groupStart + Number(group.num_rows);
      if (start < groupEnd) {
        const rows = await readGroup(file, metadata, chosen, groupStart, groupEnd);
        for (let row = Math.max(start, groupStart); row < groupEnd; row++) {
          const fields = rows[row - groupStart]!;
          const key = `${baseName(path)}:${row}`;
          yield { place: { row: row + 1 }, load: (abort) => rowSample(key, fields, chosen, columns.root, abort) };
        }
      }
      groupStart = groupEnd;
    }
  } finally {
    await file.close();
  }
}

/** The footer, with every range in it checked against the file. */
export async function readFooter(file: Bytes): Promise<FileMetaData> {
  const metadata = await guarded(file, () =>
    parquetMetadataAsync(file, { initialFetchSize: FOOTER_BYTES, geoparquet: false }),
  );
  let rows = 0;
  for (const [i, group] of metadata.row_groups.entries()) {
    const size = Number(group.num_rows);
    if (!Number.isSafeInteger(size) || size < 0) throw damaged(file, `row group ${i} claims ${size} rows`);
    rows += size;
    let unpacked = 0;
    for (const { meta_data } of group.columns) {
      if (meta_data === undefined) throw damaged(file, `row group ${i} has a column without metadata`);
      const begin = Number(meta_data.dictionary_page_offset || meta_data.data_page_offset);
      const end = begin + Number(meta_data.total_compressed_size);
      if (!(begin >= 0 && end >= begin && end <= file.byteLength))
        throw damaged(file, `row group ${i} lies at bytes ${begin}..${end} of ${file.byteLength}`);
      unpacked += Number(meta_data.total_uncompressed_size);
    }
    if (unpacked > MAX_GROUP_BYTES)
      throw new DataError(
        `${file.name}: expected row groups of at most ${MAX_GROUP_BYTES} bytes, got ${unpacked}`,
        "write it again with smaller row groups",
      );
  }
  if (rows !== Number(metadata.num_rows))
    throw damaged(file, `${metadata.num_rows} rows announced, ${rows} in its row groups`);
  return metadata;
}

async function readGroup(
  file: Bytes,
  metadata: FileMetaData,
  columns: Required<Omit<ParquetColumns, "root">>,
  rowStart: number,
  rowEnd: number,
): Promise<Row[]> {
  const wanted = [columns.image, columns.text, columns.label].filter((name) => name !== undefined);
  const stringFromBytes = (bytes?: Uint8Array): unknown => bytes && (decodeUtf8(bytes) ?? INVALID_UTF8);
  const rows: Row[] = await guarded(file, () =>
    parquetReadObjects({
      file: file as AsyncBuffer,
      metadata,
      columns: wanted,
      rowStart,
      rowEnd,
      compressors: bounded(compressors, unpackedBytes(metadata, rowStart)),
      utf8: false,
      parsers: { stringFromBytes },
      geoparquet: false,
    }),
  );
  if (rows.length !== rowEnd - rowStart)
    throw damaged(file, `${rowEnd - rowStart} rows announced, ${rows.length} read`);
  return rows;
}

/** What the row group that starts at `rowStart` announces as its size without compression. */
function unpackedBytes(metadata: FileMetaData, rowStart: number): number {
  let start = 0;
  for (const group of metadata.row_groups) {
    if (start === rowStart) return group.columns.reduce((n, c) => n + Number(c.meta_data!.total_uncompressed_size), 0);
    start += Number(group.num_rows);
  }
  return 0;
}

type Unpack = (input: Uint8Array, length: number) => Uint8Array;

/** The decompressors, which refuse a page that claims more than the whole row group before they allocate it. */
function bounded(all: Compressors, limit: number): Compressors {
  const guard =
    (unpack: Unpack): Unpack =>
    (input, length) => {
      if (!(length >= 0 && length <= limit))
        throw new Error(`a page claims ${length} bytes in a row group of ${limit}`);
      return unpack(input, length);
    };
  return Object.fromEntries(Object.entries(all).map(([codec, unpack]) => [codec, guard(unpack as Unpack)]));
}

/** Which columns to read: those asked for, else the first known name of each kind. */
function chooseColumns(
  name: string,
  metadata: FileMetaData,
  asked: ParquetColumns,
): { image: string | undefined; text: string | undefined; label: string | undefined } {
  const names = new Set(parquetSchema(metadata).children.map((child) => child.element.name));
  for (const column of [asked.image, asked.text, asked.label])
    if (column !== undefined && !names.has(column))
      throw new DataError(`${name}: expected a column ${column}, got ${[...names].join(", ")}`);
  const image = asked.image ?? firstOf(["image", "img", ...IMAGE_KEYS], names);
  const text = asked.text ?? firstOf(TEXT_KEYS, names);
  if (image === undefined && text === undefined)
    throw new DataError(
      `${name}: expected an image or text column, got ${[...names].join(", ")}`,
      "name them: { type: parquet, path, image: …, text: … }",
    );
  return { image, text, label: asked.label ?? firstOf(LABEL_KEYS, names) };
}

async function rowSample(
  key: string,
  row: Row,
  columns: { image: string | undefined; text: string | undefined; label: string | undefined },
  root: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Sample | Bad> {
  const cell = columns.image === undefined ? undefined : row[columns.image];
  const image = await cellImage(cell, root, signal);
  if (typeof image === "string") return { key, reason: image };
  if (columns.image !== undefined && image === undefined) return { key, reason: "the image is missing" };
  const text = columns.text === undefined ? undefined : bytesToText(row[columns.text]);
  const label = columns.label === undefined ? undefined : row[columns.label];
  return toSample({ key, image, text, label, textExpected: columns.text !== undefined });
}

/** Bytes of an image cell (bytes, `{bytes, path}` or a path), or why there are none. */
async function cellImage(cell: unknown, root = "", signal?: AbortSignal): Promise<Uint8Array | string | undefined> {
  if (cell instanceof Uint8Array) return cell.slice(); // rows are views into a page: a copy lets the page go
  if (cell === INVALID_UTF8) return "the image path is not valid UTF-8";
  if (typeof cell === "string") return loadImage(root, cell, signal);
  if (typeof cell !== "object" || cell === null) return undefined;
  const { bytes, path } = cell as { bytes?: unknown; path?: unknown };
  if (bytes instanceof Uint8Array) return bytes.slice();
  return typeof path === "string" ? loadImage(root, path, signal) : undefined;
}

function bytesToText(cell: unknown): unknown {
  if (cell instanceof Uint8Array) return decodeUtf8(cell) ?? INVALID_UTF8;
  return Array.isArray(cell) ? cell.map(bytesToText) : cell;
}

async function guarded<T>(file: Bytes, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof DataError || (cause as Error)?.name === "AbortError") throw cause;
    throw damaged(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const damaged = (file: Bytes, reason: string, cause?: unknown): DataError =>
  new DataError(
    `${file.name}: expected a whole parquet file: ${reason}`,
    "copy or download it again",
    cause === undefined ? undefined : { cause },
  );
