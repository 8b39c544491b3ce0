/** Sources made of lines: JSON Lines, and plain text with one sentence or document a line. */
import { z } from "zod";
import { decodeUtf8, readLines } from "../../io/byte-reader.ts";
import type { Json } from "../../io/index.ts";
import type { TableOptions } from "./csv.ts";
import { firstOf, IMAGE_KEYS, LABEL_KEYS, TEXT_KEYS } from "./fields.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { isObject, parseJson } from "./json.ts";
import { type ImagePlace, imagePlace, sampleWithImage } from "./record.ts";
import type { Reading, Sample, Source } from "./source.ts";
import { openText } from "./text-file.ts";

const placeSchema = z.strictObject({
  byte: z.int().nonnegative(),
  line: z.int().nonnegative(),
  /** Documents begun so far; only plain text counts them. */
  document: z.int().nonnegative(),
});

type Place = z.infer<typeof placeSchema>;

const START: Place = { byte: 0, line: 0, document: 0 };

/** JSON Lines: one object a line, with the path or URL of an image, a caption or several, a label. Keys are `file:line`. */
export function jsonlSource(name: string, files: readonly string[], options: TableOptions = {}): Source {
  const places = new Map<string, ImagePlace>();
  const placeOf = (file: string): ImagePlace => {
    const place = places.get(file) ?? imagePlace(file, options);
    places.set(file, place);
    return place;
  };
  const load = ({ path }: SourceFile, key: string, bytes: Uint8Array, reading: Reading): Bad | Promise<Sample | Bad> =>
    jsonSample(key, bytes, options, placeOf(path), reading);
  const read = (file: SourceFile, from: Json, reading: Reading): AsyncGenerator<FileRecord> =>
    readRecords(file, from, reading, load);
  return {
    name,
    fingerprint: () => filesFingerprint(files),
    samples: (sampling = {}) => fileSamples(name, files, sampling, read),
  };
}

/**
 * Plain text: every line is a sample, a blank line starts a new document. `meta.document` names its document, so that
 * packing can mark their borders. Keys are `file:line`. Shards take every count-th line where there are too few files.
 */
export function textSource(name: string, files: readonly string[]): Source {
  const load = (
    file: SourceFile,
    key: string,
    bytes: Uint8Array,
    _reading: unknown,
    document: number,
  ): Sample | Bad => {
    const text = decodeUtf8(bytes);
    if (text === undefined) return { key, reason: "the line is not valid UTF-8" };
    if (text.includes("\u0000")) return { key, reason: "the line holds a NUL character" };
    return { key, texts: [text.trim()], meta: { document: `${file.label}#${document}` } };
  };
  const read = (file: SourceFile, from: Json, reading: Reading): AsyncGenerator<FileRecord> =>
    readRecords(file, from, reading, load);
  return {
    name,
    fingerprint: () => filesFingerprint(files),
    samples: (sampling = {}) => fileSamples(name, files, sampling, read),
  };
}

type LineLoader = (
  file: SourceFile,
  key: string,
  bytes: Uint8Array,
  reading: Reading,
  document: number,
) => Sample | Bad | Promise<Sample | Bad>;

/** The lines that are not blank. */
async function* readRecords(
  source: SourceFile,
  from: Json,
  reading: Reading,
  load: LineLoader,
): AsyncGenerator<FileRecord> {
  const start = from === null ? START : parseCursor(source.path, from, placeSchema);
  const file = await openText(source.path, reading);
  let { line, document } = start;
  let fresh = from === null;
  try {
    for await (const { bytes, end } of readLines(file, start.byte)) {
      line++;
      if (bytes.every((byte) => byte === 32 || (byte >= 9 && byte <= 13))) {
        if (!fresh) document++;
        fresh = true;
        continue;
      }
      fresh = false;
      const key = `${source.label}:${line}`;
      const inside = document;
      yield { place: { byte: end, line, document }, load: (abort) => load(source, key, bytes, abort, inside) };
    }
  } finally {
    await file.close();
  }
}

function jsonSample(
  key: string,
  bytes: Uint8Array,
  options: TableOptions,
  place: ImagePlace,
  reading: Reading,
): Bad | Promise<Sample | Bad> {
  const text = decodeUtf8(bytes);
  if (text === undefined) return { key, reason: "the line is not valid UTF-8" };
  let row: unknown;
  try {
    row = parseJson(text);
  } catch (error) {
    return { key, reason: `expected JSON: ${(error as Error).message}` };
  }
  if (!isObject(row)) return { key, reason: "expected a JSON object" };
  const present = new Set(Object.keys(row).filter((name) => row[name] !== null));
  const imageKey = options.image ?? firstOf(IMAGE_KEYS, present);
  const textKey = options.text ?? firstOf(TEXT_KEYS, present);
  const labelKey = options.label ?? firstOf(LABEL_KEYS, present);
  const location = imageKey === undefined ? undefined : row[imageKey];
  if (imageKey === undefined ? IMAGE_KEYS.some((name) => name in row) : location === null)
    return { key, reason: "the image path is missing" };
  if (location !== undefined && typeof location !== "string")
    return { key, reason: `${imageKey}: expected a path or URL, got ${typeof location}` };
  const used = new Set([imageKey, textKey, labelKey]);
  const meta = Object.fromEntries(Object.entries(row).filter(([name]) => !used.has(name)));
  const fields = { key, text: textKey && row[textKey], label: labelKey && row[labelKey], meta };
  return sampleWithImage({ ...fields, textExpected: options.text !== undefined }, place, location, reading);
}
