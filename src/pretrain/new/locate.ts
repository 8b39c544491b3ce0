/** Where a source's pictures lie, and which of its columns are what: from options of a command to a source as a recipe says it. */

import { resolve } from "node:path";
import { resolveSpec, type SourceSpec, splitSpec } from "../../data/index.ts";
import { openData } from "../../datasets/index.ts";
import { ConfigError } from "../../errors.ts";
import { isUrl, statOf } from "../../io/index.ts";
import type { SourceText } from "./yaml.ts";

/** What a source's own name does not say. */
export interface Placing {
  /** Where the pictures of a table lie; else further pictures. */
  readonly images?: string | undefined;
  readonly imageColumn?: string | undefined;
  readonly textColumn?: string | undefined;
  /** The table may name pictures anywhere. */
  readonly outside?: boolean | undefined;
}

/** The source as the recipe says it, and further pictures. */
export interface Placed {
  readonly spec: SourceText;
  readonly images: string | undefined;
}

interface Reading {
  readonly signal?: AbortSignal | undefined;
  readonly note?: ((line: string) => void) | undefined;
}

const TABLES: readonly string[] = ["csv", "tsv", "jsonl", "json", "parquet", "coco"];
const TRIED = 50;

/**
 * `images` are where the table's pictures lie if the table finds none beside itself and some there; else they are more pictures.
 * Throws ConfigError where columns are named of what is no table.
 */
export async function locate(source: string, placing: Placing, reading: Reading): Promise<Placed> {
  const { images, imageColumn, textColumn, outside } = placing;
  const spec = absolute(source);
  const asked = imageColumn ?? textColumn ?? outside ?? images;
  if (asked === undefined) return { spec, images };
  const resolved = /^starter:/.test(spec) ? undefined : await resolveSpec(spec, reading);
  if (resolved === undefined || !TABLES.includes(resolved.type)) {
    if (imageColumn !== undefined || textColumn !== undefined || outside)
      throw new ConfigError(
        `${source}: expected a table where columns are named, got ${resolved?.type ?? "a named set"}`,
        "--image-column, --text-column and --outside are for CSV, TSV, JSON, JSONL and parquet",
      );
    return { spec, images };
  }
  const columns = { ...(imageColumn && { image: imageColumn }), ...(textColumn && { text: textColumn }) };
  const table: SourceText = { ...resolved, ...columns, ...(outside && { outside }) };
  const plain = Object.keys(columns).length === 0 && !outside ? spec : table;
  if (images === undefined || !(await statOf(images))?.isDirectory()) return { spec: plain, images };
  const there: SourceText = { ...table, root: resolve(images) };
  const found = [await picturesIn(plain, reading), await picturesIn(there, reading)];
  return found[0] === 0 && found[1]! > 0 ? { spec: there, images: undefined } : { spec: plain, images };
}

/** How many of the first samples have a picture. */
async function picturesIn(spec: SourceText, { signal, note }: Reading): Promise<number> {
  const source = await openData(spec as string | SourceSpec, { signal, note });
  let [found, tried] = [0, 0];
  const stop = new AbortController();
  const onBad = (): void => void (++tried >= TRIED && stop.abort());
  try {
    for await (const { sample } of source.samples({
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
      onBad,
    })) {
      if (sample.image) found++;
      if (++tried >= TRIED) break;
    }
  } catch (error) {
    if (!stop.signal.aborted || signal?.aborted) throw error;
  }
  return found;
}

/** The recipe is found from any folder: paths in it are absolute. Addresses and parts of named sets stay. */
export function absolute(spec: string): string {
  const { type, rest } = splitSpec(spec);
  if (type === "starter" || type === "synthetic" || isUrl(rest)) return spec;
  const paths = rest
    .split("::")
    .map((one) => (isUrl(one) ? one : resolve(one)))
    .join("::");
  return type === undefined ? paths : `${type}:${paths}`;
}
