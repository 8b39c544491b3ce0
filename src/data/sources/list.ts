/** One JSON file with all rows: a list of objects, or Karpathy's splits of COCO and Flickr (`{images: [{sentences, split}]}`). */
import { ConfigError, DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { baseName, isRecord } from "../../io/index.ts";
import type { TableOptions } from "./csv.ts";
import type { FileRecord } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { indexedSamples } from "./indexed.ts";
import { groupRows, joined } from "./join.ts";
import { parseJson } from "./json.ts";
import { objectRecord } from "./object-record.ts";
import { imagePlace } from "./record.ts";
import type { Reading, Source } from "./source.ts";
import { readText } from "./text-file.ts";

export interface ListOptions extends TableOptions {
  /** Which rows to read, by their field `split`; needed where there are several splits. */
  readonly split?: string | undefined;
}

const MAX_JSON_BYTES = 2 ** 30;

/** Whether a JSON file that begins so is a list, or has the sentences of Karpathy's splits. */
export const isRowList = (head: string): boolean =>
  /^\ufeff?\s*\[/.test(head) || /"sentids"\s*:|"sentences"\s*:\s*\[\s*\{/.test(head);

/** The rows of the file; rows of one picture are one sample. Keys are `file.json:row`, counted from 0. */
export async function listSource(
  name: string,
  path: string,
  options: ListOptions = {},
  reading: Reading = {},
): Promise<Source> {
  const place = imagePlace(path, options);
  const { rows, lossy } = await readList(path, reading);
  const records = rows
    .map((value, i): [unknown, FileRecord] => {
      const key = `${baseName(path)}:${i}`;
      const damaged = lossy && JSON.stringify(value).includes("\ufffd");
      const record = damaged
        ? { load: () => ({ key, reason: "the row is not valid UTF-8" }) }
        : objectRecord(key, value, options, place);
      return [splitOf(value), { place: null, ...record }];
    })
    .filter(([split]) => options.split === undefined || split === options.split);
  requireOneSplit(
    path,
    records.map(([split]) => split),
    options.split,
  );
  const groups = groupRows(records.map(([, record]) => record));
  return {
    name,
    count: groups.length,
    fingerprint: () => filesFingerprint([path]),
    samples: (sampling = {}) => {
      const note = (key: string, reason: string): void => sampling.onBad?.({ source: name, key, reason, kept: true });
      const refuse = (key: string, reason: string): void => sampling.onBad?.({ source: name, key, reason });
      return indexedSamples(name, groups.length, sampling, (i, abort) =>
        joined(groups[i]!, { note, refuse }).load(abort),
      );
    },
  };
}

const splitOf = (value: unknown): unknown => (isRecord(value) ? value.split : undefined);

/** Throws ConfigError where several splits would be read as one, DataError where the named one is not there. */
function requireOneSplit(path: string, splits: readonly unknown[], asked: string | undefined): void {
  const found = [...new Set(splits.filter((split) => typeof split === "string"))];
  if (asked === undefined && found.length > 1)
    throw new ConfigError(
      `${path}: expected one set, got the splits ${found.join(", ")}`,
      `name one: json:${path}#${found[0]}, or split: ${found[0]}`,
    );
  if (splits.length === 0)
    throw new DataError(`${path}: expected rows${asked === undefined ? "" : ` of the split ${asked}`}, got none`);
}

/** The rows; `lossy` where the file has bytes that are no UTF-8, which cost the rows they are in. */
async function readList(path: string, reading: Reading): Promise<{ rows: readonly unknown[]; lossy: boolean }> {
  const bytes = await readText(path, MAX_JSON_BYTES, reading);
  const text = decodeUtf8(bytes);
  let value: unknown;
  try {
    value = parseJson(text ?? new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new DataError(`${path}: expected JSON: ${(cause as Error).message}`, undefined, { cause });
  }
  const rows =
    isRecord(value) && !("images" in value && "annotations" in value)
      ? Object.values(value).find(Array.isArray)
      : value;
  if (Array.isArray(rows)) return { rows, lossy: text === undefined };
  throw new DataError(
    `${path}: expected a list of objects, or an object with a list of images`,
    "captions in COCO's layout are coco:PATH",
  );
}
