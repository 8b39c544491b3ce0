/** Sources made of lines: JSON Lines, and plain text with one sentence or document a line. */
import { z } from "zod";
import { decodeUtf8, readLines } from "../../io/byte-reader.ts";
import type { Json } from "../../io/index.ts";
import type { TableOptions } from "./csv.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { rowsTogether } from "./join.ts";
import { parseJson } from "./json.ts";
import { objectRecord } from "./object-record.ts";
import { type ImagePlace, imagePlace } from "./record.ts";
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
  const read = rowsTogether((file, from, reading) => {
    const place = imagePlace(file.path, options);
    return readRecords(file, from, reading, (key, bytes) => jsonRecord(key, bytes, options, place));
  });
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
  const load = (label: string, key: string, bytes: Uint8Array, document: number): Sample | Bad => {
    const text = decodeUtf8(bytes);
    if (text === undefined) return { key, reason: "the line is not valid UTF-8" };
    if (text.includes("\u0000")) return { key, reason: "the line holds a NUL character" };
    return { key, texts: [text.trim()], meta: { document: `${label}#${document}` } };
  };
  const read = (file: SourceFile, from: Json, reading: Reading): AsyncGenerator<FileRecord> =>
    readRecords(file, from, reading, (key, bytes, document) => ({
      load: () => load(file.label, key, bytes, document),
    }));
  return {
    name,
    fingerprint: () => filesFingerprint(files),
    samples: (sampling = {}) => fileSamples(name, files, sampling, read),
  };
}

type LineRecord = (key: string, bytes: Uint8Array, document: number) => Omit<FileRecord, "place">;

/** The lines that are not blank. */
async function* readRecords(
  source: SourceFile,
  from: Json,
  reading: Reading,
  record: LineRecord,
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
      yield { place: { byte: end, line, document }, ...record(key, bytes, document) };
    }
  } finally {
    await file.close();
  }
}

function jsonRecord(
  key: string,
  bytes: Uint8Array,
  options: TableOptions,
  place: ImagePlace,
): Omit<FileRecord, "place"> {
  const bad = (reason: string): Omit<FileRecord, "place"> => ({ load: () => ({ key, reason }) });
  const text = decodeUtf8(bytes);
  if (text === undefined) return bad("the line is not valid UTF-8");
  try {
    return objectRecord(key, parseJson(text), options, place);
  } catch (error) {
    return bad(`expected JSON: ${(error as Error).message}`);
  }
}
