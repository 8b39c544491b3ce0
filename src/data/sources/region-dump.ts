/**
 * Dumps of region features: parquet files with a row a picture, or .npz files with a picture each, as public detectors' outputs come.
 * Captions stand beside the features, or in a file of their own.
 */
import { parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { baseName, isRecord, isUrl, type Json, namesIn, openBytes, statOf } from "../../io/index.ts";
import { captionsOf, firstOf, IMAGE_KEYS, TEXT_KEYS } from "./fields.ts";
import { type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { parseJson } from "./json.ts";
import { readNpz } from "./npy.ts";
import { readFooter } from "./parquet.ts";
import { checkedPages } from "./parquet-pages.ts";
import { checkedRegions, REGION_KEYS, rawRegions } from "./regions.ts";
import type { Reading, Sample, Source } from "./source.ts";
import { readText } from "./text-file.ts";

export interface RegionDumpOptions {
  /** Captions by picture: COCO's JSON, an object of lists, or JSON lines with an image and its captions. */
  readonly captions?: string | undefined;
  /** Numbers of a feature: another width is a bad sample. */
  readonly features?: number | undefined;
  /** Classes that the detector tells apart. */
  readonly classes?: number | undefined;
}

/** The captions of a picture, by its name in the dump. */
type Captions = (key: string) => readonly string[] | undefined;

const placeSchema = z.strictObject({ row: z.int().nonnegative() });
/** Names of a picture's own name, first those of the dumps. */
const NAMES = ["image_id", "img_id", "id", "key", ...IMAGE_KEYS];

/** The pictures of the files in their order; a folder stands for its .npz files. Keys are `file:row`, or the file's name. */
export async function regionSource(
  name: string,
  paths: readonly string[],
  options: RegionDumpOptions = {},
  reading: Reading = {},
): Promise<Source> {
  const captions = options.captions === undefined ? undefined : await readCaptions(options.captions, reading);
  const files = (await Promise.all(paths.map(npzOf))).flat();
  const read = (file: SourceFile, from: Json, abort: Reading): AsyncGenerator<FileRecord> =>
    file.path.endsWith(".npz")
      ? npzRecord(file, from, options, captions)
      : parquetRecords(file, from, options, captions, abort);
  const whole = options.captions === undefined ? files : [...files, options.captions];
  return {
    name,
    fingerprint: () => filesFingerprint(whole),
    samples: (sampling = {}) => fileSamples(name, files, sampling, read),
  };
}

async function npzOf(path: string): Promise<string[]> {
  if (isUrl(path) || !(await statOf(path))?.isDirectory()) return [path];
  const found = (await namesIn(path)).filter((name) => name.endsWith(".npz")).sort();
  if (found.length === 0) throw new DataError(`${path}: expected .npz files of region features, got none`);
  return found.map((name) => `${path.replace(/\/$/, "")}/${name}`);
}

async function* npzRecord(
  { path, label }: SourceFile,
  from: Json,
  options: RegionDumpOptions,
  captions: Captions | undefined,
): AsyncGenerator<FileRecord> {
  if (from !== null) return; // the file has one record
  const load = async (reading: Reading): Promise<Sample | { key: string; reason: string }> => {
    const file = await openBytes(path, reading);
    try {
      const known = new Set([...Object.values(REGION_KEYS).flat(), ...TEXT_KEYS]);
      const arrays = await readNpz(file, (name) => known.has(name));
      const fields = new Map([...arrays].map(([name, array]) => [name, array.strings ?? array] as const));
      return sampleOf(label, baseName(path).replace(/\.npz$/, ""), fields, options, captions);
    } catch (error) {
      if (error instanceof DataError) return { key: label, reason: error.message.split("\n")[0]! };
      throw error;
    } finally {
      await file.close();
    }
  };
  yield { place: { row: 1 }, load };
}

async function* parquetRecords(
  { path, label }: SourceFile,
  from: Json,
  options: RegionDumpOptions,
  captions: Captions | undefined,
  reading: Reading,
): AsyncGenerator<FileRecord> {
  const start = from === null ? 0 : parseCursor(path, from, placeSchema).row;
  const file = await openBytes(path, reading);
  try {
    const metadata = await readFooter(file);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const here = new Set(names);
    for (const field of ["features", "boxes"] as const)
      if (!REGION_KEYS[field].concat(field === "boxes" ? REGION_KEYS.shares : []).some((one) => here.has(one)))
        throw new DataError(
          `${file.name}: expected a column with the ${field} of regions, got ${names.join(", ")}`,
          `it is called one of ${REGION_KEYS[field].join(", ")}`,
        );
    const known = new Set([...Object.values(REGION_KEYS).flat(), ...NAMES, ...TEXT_KEYS]);
    const columns = names.filter((name) => known.has(name));
    let groupStart = 0;
    for (const group of metadata.row_groups) {
      const groupEnd = groupStart + Number(group.num_rows);
      if (start < groupEnd) {
        const rows: Record<string, unknown>[] = await parquetReadObjects({
          file: checkedPages(file, group),
          metadata,
          columns,
          rowStart: groupStart,
          rowEnd: groupEnd,
          compressors,
          utf8: false,
          parsers: { stringFromBytes: (bytes?: Uint8Array) => bytes && decodeUtf8(bytes) },
          geoparquet: false,
        });
        for (let row = Math.max(start, groupStart); row < groupEnd; row++) {
          const fields = new Map(Object.entries(rows[row - groupStart]!));
          const called = firstOf(NAMES, new Set(fields.keys()));
          const own = called === undefined ? "" : String(fields.get(called));
          yield {
            place: { row: row + 1 },
            load: () => sampleOf(`${label}:${row}`, own, fields, options, captions),
          };
        }
      }
      groupStart = groupEnd;
    }
  } finally {
    await file.close();
  }
}

function sampleOf(
  key: string,
  picture: string,
  fields: ReadonlyMap<string, unknown>,
  options: RegionDumpOptions,
  captions: Captions | undefined,
): Sample | { key: string; reason: string } {
  const regions = checkedRegions(rawRegions(fields), options.features, options.classes);
  if (typeof regions === "string") return { key, reason: regions };
  const column = firstOf(TEXT_KEYS, new Set(fields.keys()));
  const texts = captions ? captions(picture) : captionsOf(column === undefined ? undefined : fields.get(column));
  if (typeof texts === "string") return { key, reason: texts };
  if (texts === undefined || texts.length === 0)
    return { key, reason: captions ? `no captions of "${picture}"` : "the caption is missing" };
  return { key, texts, regions };
}

const MAX_JSON_BYTES = 2 ** 30;

/** A picture's captions by its name, its name without folder and ending, or the number that its name ends with (COCO's). */
async function readCaptions(path: string, reading: Reading): Promise<Captions> {
  const bytes = await readText(path, MAX_JSON_BYTES, reading);
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new DataError(`${path}: expected UTF-8`);
  const found = new Map<string, string[]>();
  const put = (name: unknown, given: unknown): void => {
    const captions = captionsOf(given);
    if ((typeof name !== "string" && typeof name !== "number") || typeof captions === "string") return;
    const stem = stemOf(String(name));
    found.set(stem, [...(found.get(stem) ?? []), ...captions]);
  };
  for (const entry of entriesOf(path, text)) put(entry[0], entry[1]);
  if (found.size === 0)
    throw new DataError(
      `${path}: expected captions of pictures, got none`,
      'JSON lines of {"image": …, "captions": […]}, an object of lists by picture, or COCO\'s annotations',
    );
  return (key) => found.get(stemOf(key)) ?? found.get(String(Number(/(\d+)$/.exec(stemOf(key))?.[1] ?? Number.NaN)));
}

const stemOf = (name: string): string => baseName(name).replace(/\.\w{3,4}$/, "");

function* entriesOf(path: string, text: string): Generator<readonly [unknown, unknown]> {
  const row = (value: unknown): readonly [unknown, unknown] => {
    if (!isRecord(value)) return [undefined, undefined];
    const keys = new Set(Object.keys(value));
    return [value[firstOf(NAMES, keys) ?? ""], value[firstOf(TEXT_KEYS, keys) ?? ""]];
  };
  if (!path.endsWith(".json")) {
    for (const [i, line] of text.split("\n").entries())
      if (line.trim() !== "") yield row(parsed(`${path}:${i + 1}`, line));
    return;
  }
  const value = parsed(path, text);
  if (Array.isArray(value)) for (const one of value) yield row(one);
  else if (isRecord(value) && Array.isArray(value.annotations))
    for (const one of value.annotations) yield isRecord(one) ? [one.image_id, one.caption] : [undefined, undefined];
  else if (isRecord(value)) yield* Object.entries(value);
}

function parsed(where: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new DataError(`${where}: expected JSON: ${(cause as Error).message}`, undefined, { cause });
  }
}
