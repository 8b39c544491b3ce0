/** CSV and TSV with a header row, by default open_clip's columns `filepath` and `title`. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { baseName, type Json } from "../../io/index.ts";
import { type RowOptions, readRows } from "./csv-rows.ts";
import { firstOf, IMAGE_KEYS, INVALID_UTF8, LABEL_KEYS, TEXT_KEYS } from "./fields.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { type ImagePlace, imagePlace, type PlaceOptions, sampleWithImage } from "./record.ts";
import type { Reading, Sample, Source } from "./source.ts";
import { openText, type TextFile } from "./text-file.ts";

export interface TableOptions extends PlaceOptions {
  /** The column with the path or URL of the image. */
  readonly image?: string | undefined;
  readonly text?: string | undefined;
  readonly label?: string | undefined;
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
  readonly label: string | undefined;
}

/** Longer cells are taken for damage: beside an image path, and in a table of texts. */
const MAX_CAPTION_BYTES = 1 << 16;
const MAX_TEXT_BYTES = 1 << 22;
const placeSchema = z.strictObject({ byte: z.int().nonnegative(), row: z.int().nonnegative() });

/** The rows of CSV or TSV files. Keys are `file.csv:row`, counted from 1 without the header. */
export function csvSource(name: string, files: readonly string[], options: CsvOptions = {}): Source {
  const read = (file: SourceFile, from: Json, reading: Reading): AsyncGenerator<FileRecord> =>
    readCsv(file, from, options, reading);
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
    const { delimiter = /\.tsv(\.gz)?$/i.test(baseName(path)) ? "\t" : "," } = options;
    const quoted = options.quotes ?? delimiter !== "\t";
    const header = await readHeader(file, { delimiter, quotes: quoted, maxCellBytes: MAX_TEXT_BYTES });
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
      yield { place: { byte: end, row }, load: (abort) => rowSample(key, cells, columns, place, abort) };
    }
  } finally {
    await file.close();
  }
}

async function readHeader(
  file: TextFile,
  options: RowOptions,
): Promise<{ names: string[]; quoted: boolean; end: number }> {
  for await (const { cells, end } of readRows(file, 0, options)) {
    if (typeof cells === "string") throw new DataError(`${file.name}: expected a header row: ${cells}`);
    const names = cells.map((cell, i) => decodeUtf8(i === 0 ? withoutMark(cell) : cell)?.trim() ?? "");
    if (names.some((name) => name.includes("\r")))
      throw new DataError(
        `${file.name}: expected lines that end with \\n or \\r\\n, got \\r alone`,
        "tr '\\r' '\\n' mends it",
      );
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
  for (const column of [options.image, options.text, options.label])
    if (column !== undefined && !present.has(column))
      throw new DataError(
        `${path}: expected a column ${column}, got ${names.join(", ")}`,
        "the first row must name the columns; set `delimiter` if they were not split",
      );
  const image = options.image ?? firstOf(IMAGE_KEYS, present);
  const text = options.text ?? firstOf(TEXT_KEYS, present);
  if (image === undefined && text === undefined)
    throw new DataError(
      `${path}: expected columns filepath and title, got ${names.join(", ")}`,
      "name yours with `image` and `text`; set `delimiter` if they were not split",
    );
  return { names, image, text, label: options.label ?? firstOf(LABEL_KEYS, present) };
}

function rowSample(
  key: string,
  cells: readonly Uint8Array[] | string,
  columns: Columns,
  place: ImagePlace,
  reading: Reading,
): Bad | Promise<Sample | Bad> {
  if (typeof cells === "string") return { key, reason: cells };
  if (cells.length !== columns.names.length)
    return { key, reason: `expected ${columns.names.length} cells, got ${cells.length}` };
  const cell = (name: string | undefined): string | typeof INVALID_UTF8 | undefined =>
    name === undefined ? undefined : (decodeUtf8(cells[columns.names.indexOf(name)]!) ?? INVALID_UTF8);
  const location = cell(columns.image);
  if (location === INVALID_UTF8) return { key, reason: "the image path is not valid UTF-8" };
  if (location === "") return { key, reason: "the image path is missing" };
  const label = cell(columns.label);
  const fields = { key, text: cell(columns.text), label, textExpected: columns.text !== undefined };
  return sampleWithImage(fields, place, location, reading);
}
