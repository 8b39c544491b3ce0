/**
 * The rows of CSV (RFC 4180) and TSV. A mark that opens a quoted cell and is not closed costs its own row, never those
 * behind it: no parser that we know can go on there, hence this one.
 */
import { type Line, readLines } from "../../io/byte-reader.ts";
import type { TextFile } from "./text-file.ts";

export interface Row {
  /** Or why the row cannot be used. */
  readonly cells: readonly Uint8Array[] | string;
  /** The byte after the row. */
  readonly end: number;
}

export interface RowOptions {
  readonly delimiter: string;
  /** Cells may stand in quotation marks, over several lines. */
  readonly quotes: boolean;
  /** A longer cell is no cell. */
  readonly maxCellBytes: number;
  /** How many cells a row has; of the header that is not known. */
  readonly width?: number | undefined;
  /** The number of the column of image paths. */
  readonly image?: number | undefined;
}

const QUOTE = 0x22;
const BLANK = 0x20;
const NEWLINE = new Uint8Array([10]);

/** The rows from a byte on; empty lines are none. */
export async function* readRows(file: TextFile, start: number, options: RowOptions): AsyncGenerator<Row> {
  const lines = readLines(file, start);
  const waiting: Line[] = [];
  const next = async (): Promise<Line | undefined> => waiting.shift() ?? (await lines.next()).value ?? undefined;
  try {
    for (let line = await next(); line !== undefined; line = await next()) {
      if (line.bytes.length === 0) continue;
      const more: Line[] = [];
      const row = await readRow(line, next, more, options);
      if (row === undefined) waiting.unshift(...more);
      yield row ?? { cells: UNCLOSED, end: line.end };
    }
  } finally {
    await lines.return(undefined);
  }
}

const UNCLOSED = "a quotation mark is opened and not closed (set `quotes: false` if cells are not quoted)";

/** The row that begins in a line, with the lines that it goes on in put into `more`; undefined where a quoted cell finds no end. */
async function readRow(
  line: Line,
  next: () => Promise<Line | undefined>,
  more: Line[],
  options: RowOptions,
): Promise<Row | undefined> {
  const { maxCellBytes, width } = options;
  const row = new RowBuilder(options);
  let state = row.add(line.bytes);
  if (state === "broken") {
    const plain = splitPlain(line.bytes, options.delimiter); // "Hello" he said
    return { cells: width === undefined || plain.length === width ? plain : BROKEN, end: line.end };
  }
  while (state === "open" && row.bytes <= maxCellBytes) {
    const another = await next();
    if (another === undefined) return undefined;
    more.push(another);
    state = row.add(another.bytes);
  }
  if (state !== "whole" || swallowsRows(row.cells, [line, ...more], options)) return undefined;
  const long = row.cells.find((cell) => cell.length > maxCellBytes);
  if (long) return { cells: `a cell of ${long.length} bytes: at most ${maxCellBytes} are plausible`, end: line.end };
  return { cells: row.cells, end: (more.at(-1) ?? line).end };
}

const BROKEN = "a quoted cell goes on behind its closing quotation mark";

/** A row that is put together line by line. */
class RowBuilder {
  readonly cells: Uint8Array[] = [];
  bytes = 0;
  readonly #delimiter: Buffer;
  readonly #quotes: boolean;
  /** The pieces of a quoted cell that is not closed. */
  #open: Uint8Array[] | undefined;

  constructor({ delimiter, quotes }: RowOptions) {
    this.#delimiter = Buffer.from(delimiter);
    this.#quotes = quotes;
  }

  add(bytes: Uint8Array): "whole" | "open" | "broken" {
    const line = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.bytes += line.length + 1;
    for (let at = 0; ; at += this.#delimiter.length) {
      if (this.#open === undefined && this.#quotes && line[at] === QUOTE) {
        this.#open = [];
        at++;
      }
      if (this.#open === undefined) {
        const end = line.indexOf(this.#delimiter, at);
        this.cells.push(line.subarray(at, end < 0 ? line.length : end));
        at = end < 0 ? line.length : end;
      } else {
        const close = closingQuote(line, at);
        this.#open.push(line.subarray(at, close ?? line.length));
        if (close === undefined) {
          this.#open.push(NEWLINE);
          return "open";
        }
        this.cells.push(unquoted(this.#open));
        this.#open = undefined;
        at = close + 1;
      }
      if (at === line.length) return "whole";
      if (!line.subarray(at).subarray(0, this.#delimiter.length).equals(this.#delimiter)) return "broken";
    }
  }
}

/** The first quotation mark that is not doubled. */
function closingQuote(line: Buffer, from: number): number | undefined {
  for (let at = line.indexOf(QUOTE, from); at >= 0; at = line.indexOf(QUOTE, at + 2))
    if (line[at + 1] !== QUOTE) return at;
  return undefined;
}

const unquoted = (pieces: readonly Uint8Array[]): Uint8Array =>
  Buffer.from(Buffer.concat(pieces).toString("latin1").replaceAll('""', '"'), "latin1");

function splitPlain(line: Uint8Array, delimiter: string): readonly Uint8Array[] {
  const row = new RowBuilder({ delimiter, quotes: false, maxCellBytes: 0 });
  row.add(line);
  return row.cells;
}

/**
 * Whether a quoted cell over several lines has taken in whole rows: the row has not the cells it should have, or an image
 * path of several lines, or its first and last lines look like rows. Such a line has the cells of one and, where there are images,
 * a path in its place; where there are none, no blank or end behind a delimiter, as prose has.
 */
function swallowsRows(cells: readonly Uint8Array[], lines: readonly Line[], options: RowOptions): boolean {
  const { width, image, delimiter } = options;
  if (lines.length === 1 || width === undefined) return false;
  if (cells.length !== width || (image !== undefined && cells[image]!.includes(NEWLINE[0]!))) return true;
  if (width < 2) return false; // nothing tells the rows of one column from the lines of a cell
  return [lines[0]!, lines.at(-1)!].every(({ bytes }) => {
    const row = splitPlain(bytes, delimiter);
    if (row.length !== width) return false;
    return image === undefined
      ? row.slice(1).every((cell) => cell.length > 0 && cell[0] !== BLANK)
      : isPlace(row[image]!);
  });
}

/** A URL, or a path without blanks that ends as file names do. */
const isPlace = (cell: Uint8Array): boolean =>
  /^https?:\/\/|^\S+\.\w{2,5}$/.test(Buffer.from(cell.buffer, cell.byteOffset, cell.length).toString("latin1"));
