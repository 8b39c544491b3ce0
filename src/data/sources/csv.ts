/** CSV and TSV with a header row, by default open_clip's columns `filepath` and `title`; csv-parse does the parsing. */
import { Readable } from "node:stream";
import { type InfoRecord, parse } from "csv-parse";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import type { Bytes } from "../../io/bytes.ts";
import { baseName, type Json, openBytes } from "../../io/index.ts";
import { firstOf, IMAGE_KEYS, INVALID_UTF8, LABEL_KEYS, TEXT_KEYS } from "./fields.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { type ImagePlace, imagePlace, type PlaceOptions, sampleWithImage } from "./record.ts";
import type { Sample, Source } from "./source.ts";

export interface TableOptions extends PlaceOptions {
  /** The column with the path or URL of the image. */
  readonly image?: string | undefined;
  readonly text?: string | undefined;
  readonly label?: string | undefined;
}

export interface CsvOptions extends TableOptions {
  readonly delimiter?: string | undefined;
}

interface Columns {
  readonly names: readonly string[];
  readonly image: string | undefined;
  readonly text: string | undefined;
  readonly label: string | undefined;
}

const MAX_RECORD_BYTES = 1 << 24;
const BOM = [0xef, 0xbb, 0xbf];
const placeSchema = z.strictObject({ byte: z.int().nonnegative(), row: z.int().nonnegative() });

/** The rows of CSV or TSV files. Keys are `file.csv:row`, counted from 1 without the header. */
export function csvSource(name: string, files: readonly string[], options: CsvOptions = {}): Source {
  const read = (file: SourceFile, from: Json, signal?: AbortSignal): AsyncGenerator<FileRecord> =>
    readCsv(file, from, options, signal);
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
  signal: AbortSignal | undefined,
): AsyncGenerator<FileRecord> {
  const file = await openBytes(path, { signal });
  try {
    const delimiter = options.delimiter ?? (/\.tsv$/i.test(baseName(path)) ? "\t" : ",");
    const header = await readHeader(file, delimiter);
    const columns = chooseColumns(path, header.names, options);
    const start = from === null ? { byte: header.end, row: 0 } : parseCursor(path, from, placeSchema);
    const place = imagePlace(path, options);
    let row = start.row;
    for await (const { cells, end } of parseCells(file, start.byte, delimiter)) {
      row++;
      const key = `${label}:${row}`;
      yield { place: { byte: end, row }, load: (abort) => rowSample(key, cells, columns, place, abort) };
    }
  } finally {
    await file.close();
  }
}

/** Rows as raw cells, each with the byte after it. */
async function* parseCells(
  file: Bytes,
  start: number,
  delimiter: string,
): AsyncGenerator<{ cells: readonly Buffer[]; end: number }> {
  const parser = parse({
    delimiter,
    encoding: null,
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_BYTES,
  });
  const input = Readable.from(file.stream(start), { objectMode: false });
  input.on("error", (error) => parser.destroy(error));
  input.pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Buffer[];
      info: InfoRecord & { bytes: number };
    }>)
      yield { cells: record, end: start + info.bytes };
  } catch (cause) {
    if (!(cause instanceof Error) || !("code" in cause) || !String(cause.code).startsWith("CSV_")) throw cause;
    throw new DataError(`${file.name}: expected CSV: ${cause.message}`, "check its quotes and its delimiter", {
      cause,
    });
  } finally {
    input.destroy();
    parser.destroy();
  }
}

async function readHeader(file: Bytes, delimiter: string): Promise<{ names: string[]; end: number }> {
  const head = new Uint8Array(await file.slice(0, Math.min(3, file.byteLength)));
  const start = BOM.every((byte, i) => head[i] === byte) ? BOM.length : 0;
  for await (const { cells, end } of parseCells(file, start, delimiter))
    return { names: cells.map((cell) => decodeUtf8(cell)?.trim() ?? ""), end };
  throw new DataError(`${file.name}: expected a header row, got an empty file`);
}

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
  cells: readonly Uint8Array[],
  columns: Columns,
  place: ImagePlace,
  signal: AbortSignal | undefined,
): Bad | Promise<Sample | Bad> {
  if (cells.length !== columns.names.length)
    return { key, reason: `expected ${columns.names.length} cells, got ${cells.length}` };
  const cell = (name: string | undefined): string | typeof INVALID_UTF8 | undefined =>
    name === undefined ? undefined : (decodeUtf8(cells[columns.names.indexOf(name)]!) ?? INVALID_UTF8);
  const location = cell(columns.image);
  if (location === INVALID_UTF8) return { key, reason: "the image path is not valid UTF-8" };
  if (location === "") return { key, reason: "the image path is missing" };
  const label = cell(columns.label);
  const fields = { key, text: cell(columns.text), label, textExpected: columns.text !== undefined };
  return sampleWithImage(fields, place, location, signal);
}
