/** Parquet files in the Hub's layout (`image{bytes,path}`, text and label columns), read by ranges through hyparquet. */
import {
  type ColumnChunk,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
  type SchemaTree,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { z } from "zod";
import { DataError, FileError } from "../../errors.ts";
import { IMAGE_EXTENSIONS } from "../../image/index.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import type { Bytes } from "../../io/bytes.ts";
import { isRecord, type Json, openBytes } from "../../io/index.ts";
import { firstOf, IMAGE_KEYS, INVALID_UTF8, LABEL_KEYS, TEXT_KEYS, toSample } from "./fields.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { parseJson } from "./json.ts";
import { checkedPages, chunkRange } from "./parquet-pages.ts";
import { type ImagePlace, imagePlace, loadImage, type PlaceOptions } from "./record.ts";
import type { Reading, Sample, Source } from "./source.ts";

export interface ParquetColumns extends PlaceOptions {
  readonly image?: string | undefined;
  readonly text?: string | undefined;
  readonly label?: string | undefined;
  /** A column with the second text of each row: a pair of sentences. */
  readonly second?: string | undefined;
  /** Whether only the columns that are named are read, and every row is a sample of its own. */
  readonly exact?: boolean | undefined;
}

type Row = Record<string, unknown>;

const MAX_GROUP_BYTES = 2 ** 31;
/** Nulls take next to no bytes, but each takes a place in memory. */
const MAX_GROUP_VALUES = 2 ** 27;
const FOOTER_BYTES = 1 << 16;
const placeSchema = z.strictObject({ row: z.int().nonnegative() });

/** The rows of parquet files, given by paths or URLs. Keys are `file.parquet:row`. One row group is held at a time. */
export function parquetSource(name: string, files: readonly string[], columns: ParquetColumns = {}): Source {
  const read = (file: SourceFile, from: Json, reading: Reading): AsyncGenerator<FileRecord> =>
    readParquet(file, from, columns, reading);
  return {
    name,
    fingerprint: () => filesFingerprint(files),
    samples: (options = {}) => fileSamples(name, files, options, read),
  };
}

async function* readParquet(
  { path, label }: SourceFile,
  from: Json,
  columns: ParquetColumns,
  reading: Reading,
): AsyncGenerator<FileRecord> {
  const start = from === null ? 0 : parseCursor(path, from, placeSchema).row;
  const file = await openBytes(path, reading);
  const place = imagePlace(path, columns);
  try {
    const metadata = await readFooter(file);
    const chosen = await guarded(file, () => chooseColumns(file.name, metadata, columns));
    let groupStart = 0;
    for (const group of metadata.row_groups) {
      const groupEnd = groupStart + Number(group.num_rows);
      if (start < groupEnd) {
        const rows = await readGroup(file, metadata, group, chosen, groupStart);
        for (let row = Math.max(start, groupStart); row < groupEnd; row++) {
          const fields = rows[row - groupStart]!;
          const key = `${label}:${row}`;
          yield { place: { row: row + 1 }, load: (abort) => rowSample(key, fields, chosen, place, abort) };
        }
      }
      groupStart = groupEnd;
    }
  } finally {
    await file.close();
  }
}

/** The footer, with every range in it checked against the file. Throws DataError for anything else. */
export async function readFooter(file: Bytes): Promise<FileMetaData> {
  return guarded(file, async () => {
    const metadata = await parquetMetadataAsync(file, { initialFetchSize: FOOTER_BYTES, geoparquet: false });
    checkFooter(file, metadata);
    return metadata;
  });
}

function checkFooter(file: Bytes, metadata: FileMetaData): void {
  const { row_groups, num_rows } = metadata;
  const leaves = leafPaths(parquetSchema(metadata));
  let rows = 0;
  for (const [i, group] of row_groups.entries()) {
    // The library forgets a column that no leaf claims while it is read: its failure would go unhandled.
    const paths = group.columns.map(({ meta_data }) => meta_data?.path_in_schema.join("."));
    if (new Set(leaves).size < leaves.length || paths.join("\n") !== leaves.join("\n"))
      throw damaged(file, `row group ${i} has the columns ${paths.join(", ")}, the schema ${leaves.join(", ")}`);
    const size = Number(group.num_rows);
    if (!(size >= 0 && size <= MAX_GROUP_VALUES)) throw damaged(file, `row group ${i} claims ${size} rows`);
    rows += size;
    const unpacked = group.columns.reduce((n, column) => n + checkColumn(file, i, column), 0);
    if (unpacked > MAX_GROUP_BYTES)
      throw new DataError(
        `${file.name}: expected row groups of at most ${MAX_GROUP_BYTES} bytes, got ${unpacked}`,
        "write it again with smaller row groups",
      );
  }
  if (rows !== Number(num_rows)) throw damaged(file, `${num_rows} rows announced, ${rows} in its row groups`);
}

const leafPaths = ({ path, children }: SchemaTree): string[] =>
  children.length === 0 ? [path.join(".")] : children.flatMap(leafPaths);

/** The bytes of a column chunk without compression. */
function checkColumn(file: Bytes, group: number, { meta_data }: ColumnChunk): number {
  if (meta_data === undefined) throw damaged(file, `row group ${group} has a column without metadata`);
  const { begin, length } = chunkRange(meta_data);
  const end = begin + length;
  if (!(begin >= 0 && end >= begin && end <= file.byteLength))
    throw damaged(file, `row group ${group} lies at bytes ${begin}..${end} of ${file.byteLength}`);
  if (!(meta_data.num_values >= 0 && meta_data.num_values <= MAX_GROUP_VALUES))
    throw damaged(file, `row group ${group} claims ${meta_data.num_values} values in a column`);
  return Number(meta_data.total_uncompressed_size);
}

async function readGroup(
  file: Bytes,
  metadata: FileMetaData,
  group: RowGroup,
  columns: Columns,
  rowStart: number,
): Promise<Row[]> {
  const rowEnd = rowStart + Number(group.num_rows);
  const { image, text, second, label, json, also } = columns;
  const wanted = [image, text, second, label, json, ...also].filter((name) => name !== undefined);
  const stringFromBytes = (bytes?: Uint8Array): unknown => bytes && (decodeUtf8(bytes) ?? INVALID_UTF8);
  const rows: Row[] = await guarded(file, () =>
    parquetReadObjects({
      file: checkedPages(file, group),
      metadata,
      columns: wanted,
      rowStart,
      rowEnd,
      compressors,
      utf8: false,
      parsers: { stringFromBytes },
      geoparquet: false,
    }),
  );
  if (rows.length !== rowEnd - rowStart)
    throw damaged(file, `${rowEnd - rowStart} rows announced, ${rows.length} read`);
  return rows;
}

interface Columns {
  readonly image: string | undefined;
  /** The image column names files, also where its strings are stored as plain bytes. */
  readonly located: boolean;
  /** Columns of pictures for rows without one in `image`: a WebDataset that the Hub converted has one for each extension. */
  readonly also: readonly string[];
  /** The column of a converted WebDataset's `.json` members, where no other has captions. */
  readonly json: string | undefined;
  readonly text: string | undefined;
  readonly second: string | undefined;
  readonly label: string | undefined;
  /** Names of the label's numbers, where the Hub's library wrote them. */
  readonly classes: readonly string[] | undefined;
}

/** Which columns to read: those asked for, else the first known name of each kind; pictures before the places of pictures. */
function chooseColumns(name: string, metadata: FileMetaData, asked: ParquetColumns): Columns {
  const { children } = parquetSchema(metadata);
  const names = new Set(children.map((child) => child.element.name));
  const { second, exact = false } = asked;
  for (const column of [asked.image, asked.text, second, asked.label])
    if (column !== undefined && !names.has(column))
      throw new DataError(`${name}: expected a column ${column}, got ${[...names].join(", ")}`);
  const pictures = new Set(children.filter(holdsBytes).map((child) => child.element.name));
  const among = (keys: readonly string[], there: ReadonlySet<string>): string | undefined =>
    exact ? undefined : firstOf(keys, there);
  const image = asked.image ?? among(PICTURE_COLUMNS, pictures) ?? among([...PICTURE_COLUMNS, ...IMAGE_KEYS], names);
  const text = asked.text ?? among(TEXT_KEYS, names);
  const json = !exact && text === undefined && names.has("json") ? "json" : undefined;
  if (image === undefined && text === undefined && json === undefined)
    throw new DataError(
      `${name}: expected an image or text column, got ${[...names].join(", ")}`,
      "name them: { type: parquet, path, image: …, text: … }",
    );
  const located = image !== undefined && IMAGE_KEYS.includes(image) && !PICTURE_COLUMNS.includes(image);
  const also =
    asked.image === undefined && !exact ? IMAGE_EXTENSIONS.filter((one) => one !== image && pictures.has(one)) : [];
  const label = asked.label ?? among(LABEL_KEYS, names);
  return {
    image,
    located,
    also,
    text,
    second,
    json,
    label,
    classes: label === undefined ? undefined : classNames(metadata, label),
  };
}

/** The names of a `ClassLabel` in what the Hub's `datasets` writes into a footer; undefined where there are none. */
function classNames({ key_value_metadata = [] }: FileMetaData, column: string): string[] | undefined {
  let found: unknown;
  try {
    found = parseJson(key_value_metadata.find(({ key }) => key === "huggingface")?.value ?? "null");
  } catch {
    return undefined; // a remark of another program
  }
  for (const name of ["info", "features", column, "names"])
    found = isRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return Array.isArray(found) && found.every((name) => typeof name === "string") ? found : undefined;
}

/** The name of a class's number; -1 says that there is none. */
function classOf(label: unknown, classes: readonly string[] | undefined): unknown {
  if (classes === undefined || (typeof label !== "number" && typeof label !== "bigint")) return label;
  return Number(label) === -1 ? undefined : (classes[Number(label)] ?? label);
}

/** The Hub's names, and the extensions that img2dataset takes for names. */
const PICTURE_COLUMNS = ["image", "img", ...IMAGE_EXTENSIONS, "image_bytes", "img_bytes", "bytes"];

/** Whether a column has bytes that are not said to be text, alone or as a part. */
const holdsBytes = ({ element, children }: SchemaTree): boolean =>
  children.length > 0
    ? children.some((child) => child.element.name === "bytes" && holdsBytes(child))
    : element.type === "BYTE_ARRAY" && element.converted_type === undefined && element.logical_type === undefined;

async function rowSample(
  key: string,
  row: Row,
  columns: Columns,
  place: ImagePlace,
  reading: Reading,
): Promise<Sample | Bad> {
  const filled = [columns.image, ...columns.also].find((name) => name !== undefined && hasPicture(row[name]));
  const cell = filled === undefined ? undefined : row[filled];
  const named = columns.located && cell instanceof Uint8Array ? (decodeUtf8(cell) ?? INVALID_UTF8) : cell;
  const image = await cellImage(named, place, reading);
  if (typeof image === "string") return { key, reason: image };
  if (columns.image !== undefined && image === undefined) return { key, reason: "the image is missing" };
  const json = columns.json === undefined ? {} : jsonCell(bytesToText(row[columns.json]));
  if (json === undefined) return { key, reason: "json: expected an object" };
  const fieldOf = (name: string | undefined, keys: readonly string[]): unknown =>
    name === undefined
      ? keys.map((one) => json[one]).find((one) => one !== undefined && one !== null)
      : bytesToText(row[name]);
  const label = fieldOf(columns.label, LABEL_KEYS);
  if (label === INVALID_UTF8) return { key, reason: "the label is not valid UTF-8" };
  const first = fieldOf(columns.text, TEXT_KEYS);
  return toSample({
    key,
    image,
    text: columns.second === undefined ? first : [first, bytesToText(row[columns.second])],
    label: classOf(label, columns.classes),
    textExpected: columns.text !== undefined,
  });
}

/** Whether a cell has a picture or names one: the Hub's viewer has `{bytes: null, path: null}` where a sample has none. */
function hasPicture(cell: unknown): boolean {
  if (typeof cell !== "object" || cell === null || cell instanceof Uint8Array)
    return cell !== undefined && cell !== null;
  const { bytes, path } = cell as { bytes?: unknown; path?: unknown };
  return (bytes ?? path ?? null) !== null;
}

/** A `.json` member in a cell, as text or taken apart; none is an empty one. */
function jsonCell(cell: unknown): Record<string, unknown> | undefined {
  if (cell === undefined || cell === null) return {};
  try {
    const value = typeof cell === "string" ? parseJson(cell) : cell;
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes of an image cell (bytes, `{bytes, path}` or a path), or why there are none. */
async function cellImage(cell: unknown, place: ImagePlace, reading: Reading): Promise<Uint8Array | string | undefined> {
  if (cell instanceof Uint8Array) return cell.slice(); // rows are views into a page: a copy lets the page go
  if (cell === INVALID_UTF8) return "the image path is not valid UTF-8";
  if (typeof cell === "string") return loadImage(place, cell, reading);
  if (typeof cell !== "object" || cell === null) return undefined;
  const { bytes, path } = cell as { bytes?: unknown; path?: unknown };
  if (bytes instanceof Uint8Array) return bytes.slice();
  return typeof path === "string" ? loadImage(place, path, reading) : undefined;
}

function bytesToText(cell: unknown): unknown {
  if (cell instanceof Uint8Array) return decodeUtf8(cell) ?? INVALID_UTF8;
  return Array.isArray(cell) ? cell.map(bytesToText) : cell;
}

/** What the library throws on damage can be of any kind. */
async function guarded<T>(file: Bytes, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof DataError || cause instanceof FileError || (cause as Error)?.name === "AbortError")
      throw cause;
    throw damaged(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const damaged = (file: Bytes, reason: string, cause?: unknown): DataError =>
  new DataError(
    `${file.name}: expected a whole parquet file: ${reason}`,
    "copy or download it again",
    cause === undefined ? undefined : { cause },
  );
