/** CSV and TSV with a header row, by default open_clip's columns `filepath` and `title`. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { baseName, isUrl, type Json } from "../../io/index.ts";
import { type RowOptions, readRows } from "./csv-rows.ts";
import { firstOf, IMAGE_KEYS, INVALID_UTF8, LABEL_KEYS, TEXT_KEYS } from "./fields.ts";
import { type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { rowsTogether } from "./join.ts";
import { type ImagePlace, imagePlace, type PlaceOptions, tableRecord } from "./record.ts";
import type { Reading, Source } from "./source.ts";
import { openText, type TextFile } from "./text-file.ts";

export interface TableOptions extends PlaceOptions {
  /** The column with the path or URL of the image. */
  readonly image?: string | undefined;
  readonly text?: string | undefined;
  readonly label?: string | undefined;
  /** A column with the second text of each row: a pair of sentences. */
  readonly second?: string | undefined;
  /** Whether only the columns that are named are read, and every row is a sample of its own. */
  readonly exact?: boolean | undefined;
}

export interface CsvOptions extends TableOptions {
  readonly delimiter?: string | undefined;
  /** Whether cells may stand in quotation marks. Default: yes; where tabs divide them, only if the header's do. */
  readonly quotes?: boolean | undefined;
}

interface Columns {
  readonly names: readonly string[];
  readonly image: string | undefined;
  readonly text: string | undefined;
  readonly second: string | undefined;
  readonly label: string | undefined;
  readonly exact: boolean;
}

/** Longer cells are taken for damage: beside an image path, and in a table of texts. */
const MAX_CAPTION_BYTES = 1 << 16;
const MAX_TEXT_BYTES = 1 << 22;
const placeSchema = z.strictObject({ byte: z.int().nonnegative(), row: z.int().nonnegative() });

/** The rows of CSV or TSV files. Keys are `file.csv:row`, counted from 1 without the header. */
export function csvSource(name: string, files: readonly string[], options: CsvOptions = {}): Source {
  const read = rowsTogether((file, from, reading) => readCsv(file, from, options, reading));
  return {
    name,
    fingerprint: () => filesFingerprint(files),
    samples: (sampling = {}) => fileSamples(name, files, sampling, read),
  };
}

async function* readCsv(
  { path, label }: SourceFile,
  from: Json,
  options: CsvOptions,
  reading: Reading,
): AsyncGenerator<FileRecord> {
  const file = await openText(path, reading);
  try {
    const quoted = options.quotes ?? (options.delimiter ?? usualDelimiter(path)) !== "\t";
    const { delimiter, ...header } = await findHeader(file, path, quoted, options.delimiter);
    const quotes = options.quotes ?? (quoted || header.quoted);
    const columns = chooseColumns(path, header.names, options);
    const start = from === null ? { byte: header.end, row: 0 } : parseCursor(path, from, placeSchema);
    const place = imagePlace(path, options);
    const image = columns.image === undefined ? undefined : columns.names.indexOf(columns.image);
    const maxCellBytes = image === undefined ? MAX_TEXT_BYTES : MAX_CAPTION_BYTES;
    let row = start.row;
    const rows = readRows(file, start.byte, { delimiter, quotes, maxCellBytes, width: columns.names.length, image });
    for await (const { cells, end } of rows) {
      row++;
      const key = `${label}:${row}`;
      yield { place: { byte: end, row }, ...rowRecord(key, cells, columns, place) };
    }
  } finally {
    await file.close();
  }
}

const usualDelimiter = (path: string): string => (/\.tsv(\.gz)?$/i.test(baseName(path)) ? "\t" : ",");

/** The header, divided as asked; else by commas (tabs in .tsv), or by what divides a header that has none of these. */
async function findHeader(
  file: TextFile,
  path: string,
  quotes: boolean,
  asked: string | undefined,
): Promise<Header & { readonly delimiter: string }> {
  const delimiter = asked ?? usualDelimiter(path);
  const options = { quotes, maxCellBytes: MAX_TEXT_BYTES };
  const header = await readHeader(file, { ...options, delimiter });
  const [only = ""] = header.names;
  const other =
    asked === undefined && header.names.length === 1 ? ["|", ";"].find((one) => only.includes(one)) : undefined;
  if (other === undefined) return { ...header, delimiter };
  return { ...(await readHeader(file, { ...options, delimiter: other })), delimiter: other };
}

interface Header {
  readonly names: readonly string[];
  readonly quoted: boolean;
  /** Where the rows begin: 0 without a header. */
  readonly end: number;
}

/**
 * Names for a first row that is none of names: Conceptual Captions has a caption and an address in either order, Flickr's
 * token files have `picture.jpg#0` and a caption.
 */
function namesWithoutHeader(cells: readonly string[]): string[] | undefined {
  if (cells.length !== 2) return undefined;
  if (/\.\w{3,4}#\d+$/.test(cells[0]!)) return [NUMBERED, "caption"];
  const urls = cells.map(isUrl);
  return urls[0] === urls[1] ? undefined : urls.map((is) => (is ? "url" : "caption"));
}

/** A column of pictures with the number of the caption, `picture.jpg#0`. */
const NUMBERED = "image#number";

async function readHeader(file: TextFile, options: RowOptions): Promise<Header> {
  for await (const { cells, end } of readRows(file, 0, options)) {
    if (typeof cells === "string") throw new DataError(`${file.name}: expected a header row: ${cells}`);
    const names = cells.map((cell, i) => decodeUtf8(i === 0 ? withoutMark(cell) : cell)?.trim() ?? "");
    if (names.some((name) => name.includes("\r")))
      throw new DataError(
        `${file.name}: expected lines that end with \\n or \\r\\n, got \\r alone`,
        "tr '\\r' '\\n' mends it",
      );
    const bare = namesWithoutHeader(names);
    if (bare) return { names: bare, quoted: false, end: 0 };
    const quoted = names.every((name) => /^".*"$/.test(name));
    return { names: quoted ? names.map((name) => name.slice(1, -1)) : names, quoted, end };
  }
  throw new DataError(`${file.name}: expected a header row, got an empty file`);
}

/** Without the byte order mark that some programs write first. */
const withoutMark = (cell: Uint8Array): Uint8Array =>
  cell[0] === 0xef && cell[1] === 0xbb && cell[2] === 0xbf ? cell.subarray(3) : cell;

function chooseColumns(path: string, names: readonly string[], options: CsvOptions): Columns {
  const present = new Set(names);
  const { second, exact = false } = options;
  for (const column of [options.image, options.text, second, options.label])
    if (column !== undefined && !present.has(column))
      throw new DataError(
        `${path}: expected a column ${column}, got ${names.join(", ")}`,
        "the first row must name the columns; set `delimiter` if they were not split",
      );
  const among = (keys: readonly string[]): string | undefined => (exact ? undefined : firstOf(keys, present));
  const image = options.image ?? among([...IMAGE_KEYS, NUMBERED]);
  const text = options.text ?? among(TEXT_KEYS);
  if (image === undefined && text === undefined)
    throw new DataError(
      `${path}: expected columns filepath and title, got ${names.join(", ")}`,
      "name yours with `image` and `text`; set `delimiter` if they were not split",
    );
  const label = options.label ?? among(LABEL_KEYS);
  for (const column of [image, text, second, label])
    if (column !== undefined && names.indexOf(column) !== names.lastIndexOf(column))
      throw new DataError(
        `${path}: expected one column ${column}, got several in ${names.join(", ")}`,
        "give each its own name, or put further captions of a picture into rows of their own",
      );
  return { names, image, text, second, label, exact };
}

function rowRecord(
  key: string,
  cells: readonly Uint8Array[] | string,
  columns: Columns,
  place: ImagePlace,
): Omit<FileRecord, "place"> {
  const bad = (reason: string): Omit<FileRecord, "place"> => ({ load: () => ({ key, reason }) });
  if (typeof cells === "string") return bad(cells);
  if (cells.length !== columns.names.length) return bad(`expected ${columns.names.length} cells, got ${cells.length}`);
  const cell = (name: string | undefined): string | typeof INVALID_UTF8 | undefined =>
    name === undefined ? undefined : (decodeUtf8(cells[columns.names.indexOf(name)]!) ?? INVALID_UTF8);
  const named = cell(columns.image);
  const location = columns.image === NUMBERED && typeof named === "string" ? named.replace(/#\d+$/, "") : named;
  if (location === INVALID_UTF8) return bad("the image path is not valid UTF-8");
  if (location === "") return bad("the image path is missing");
  const text = columns.second === undefined ? cell(columns.text) : [cell(columns.text), cell(columns.second)];
  return tableRecord({ key, text, label: cell(columns.label), textExpected: columns.text !== undefined }, location, {
    place,
    apart: columns.exact,
  });
}
