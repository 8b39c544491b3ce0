/** From a spec — a path, a URL, `type:location`, or an object — to a source. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError, DataError } from "../../errors.ts";
import { baseName, isUrl } from "../../io/index.ts";
import { expandLocations } from "./braces.ts";
import { cocoSource } from "./coco.ts";
import { csvSource } from "./csv.ts";
import { folderSource, listFolder } from "./folder.ts";
import { jsonlSource, textSource } from "./lines.ts";
import { SOURCE_TYPES, type SourceSpec, type SourceType, sourceName, sourceSchema } from "./options.ts";
import { parquetSource } from "./parquet.ts";
import type { Source } from "./source.ts";
import { syntheticSource } from "./synthetic.ts";
import { tarSource } from "./tar.ts";

const BY_EXTENSION: Readonly<Record<string, SourceType>> = {
  tar: "tar",
  parquet: "parquet",
  csv: "csv",
  tsv: "tsv",
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "coco",
  txt: "text",
};

/**
 * Opens a source. A string is `type:location` (`tar:data/{000..009}.tar`, `synthetic:1000x64`) or a location whose
 * type shows in its extension or, for a folder, in what it holds. Throws ConfigError for a spec that cannot be
 * understood and DataError for data that cannot be read.
 */
export async function openSource(spec: string | SourceSpec, options: { signal?: AbortSignal } = {}): Promise<Source> {
  const parsed = typeof spec === "string" ? await parseSpec(spec) : checkSpec(spec);
  const name = typeof spec === "string" ? spec : sourceName(parsed);
  switch (parsed.type) {
    case "tar":
      return tarSource(name, filesOf(parsed.path));
    case "parquet":
      return parquetSource(name, filesOf(parsed.path), parsed);
    case "csv":
      return csvSource(name, filesOf(parsed.path), parsed);
    case "tsv":
      return csvSource(name, filesOf(parsed.path), { ...parsed, delimiter: "\t" });
    case "jsonl":
      return jsonlSource(name, filesOf(parsed.path), parsed);
    case "text":
      return textSource(name, filesOf(parsed.path));
    case "folder":
      return folderSource(name, parsed.path, parsed);
    case "coco":
      return cocoSource(name, parsed.path, parsed, options.signal);
    case "synthetic":
      return syntheticSource(name, parsed);
    case "starter":
      return openStarter(name, parsed, options);
  }
}

/** A part of the starter data, which is downloaded and prepared first where it is not there. */
async function openStarter(
  name: string,
  { part, heldOutBy, cacheDir }: Extract<SourceSpec, { type: "starter" }>,
  options: { signal?: AbortSignal },
): Promise<Source> {
  const { fetchStarter, starterSplit } = await import("../../datasets/starter/index.ts");
  const data = await fetchStarter({ heldOutBy, cacheDir, signal: options.signal });
  const { source } = starterSplit(data, part);
  return { ...(await openSource({ ...source, name }, options)), captions: "tags" };
}

const filesOf = (path: string | readonly string[]): string[] =>
  (typeof path === "string" ? [path] : path).flatMap((one) => expandLocations(one));

function checkSpec(spec: unknown): SourceSpec {
  const parsed = sourceSchema.safeParse(spec);
  if (parsed.success) return parsed.data;
  throw new ConfigError(`source: ${z.prettifyError(parsed.error)}`, `type is one of ${SOURCE_TYPES.join(", ")}`, {
    cause: parsed.error,
  });
}

async function parseSpec(spec: string): Promise<SourceSpec> {
  const typed = /^([a-z]+):(?!\/\/)(.*)$/s.exec(spec);
  if (typed && (SOURCE_TYPES as readonly string[]).includes(typed[1]!)) {
    const [, type, rest] = typed as unknown as [string, SourceType, string];
    if (type === "synthetic") return checkSpec(parseSynthetic(spec, rest));
    return checkSpec(type === "starter" ? { type, part: rest } : { type, path: rest });
  }
  if (typed && typed[1]!.length > 1)
    throw new ConfigError(`${spec}: expected one of ${SOURCE_TYPES.join(", ")} before the colon, got ${typed[1]}`);
  const first = expandLocations(spec)[0]!;
  const extension = /\.([a-z]+)$/i.exec(baseName(first))?.[1]?.toLowerCase() ?? "";
  const isFolder = !isUrl(first) && (await stat(first).catch(() => undefined))?.isDirectory();
  if (isFolder) return guessFolder(first);
  const type = BY_EXTENSION[extension];
  if (type !== undefined) return checkSpec({ type, path: spec });
  const got = extension === "" ? "no extension" : `.${extension}`;
  const help = "put the type before it, as in tar:PATH";
  throw new ConfigError(
    `${spec}: expected a folder or one of ${Object.keys(BY_EXTENSION)
      .map((e) => `.${e}`)
      .join(", ")}, got ${got}`,
    isUrl(first) || (await stat(first).catch(() => undefined)) ? help : `there is no such file; ${help}`,
  );
}

function parseSynthetic(spec: string, rest: string): SourceSpec {
  const match = /^(\d+)(?:x(\d+))?$/.exec(rest);
  if (!match) throw new ConfigError(`${spec}: expected synthetic:COUNT or synthetic:COUNTxSIZE`);
  return { type: "synthetic", count: Number(match[1]), ...(match[2] && { size: Number(match[2]) }) };
}

/** A folder holds shards, a table beside its images, or images in class folders; in this order. */
async function guessFolder(path: string): Promise<SourceSpec> {
  const names = (await readdir(path)).sort();
  for (const [extension, type] of [
    ["tar", "tar"],
    ["parquet", "parquet"],
  ] as const) {
    const files = names.filter((name) => name.toLowerCase().endsWith(`.${extension}`)).map((name) => join(path, name));
    if (files.length > 0) return { type, path: files };
  }
  for (const [table, type] of [
    ["metadata.jsonl", "jsonl"],
    ["metadata.csv", "csv"],
  ] as const)
    if (names.includes(table)) return { type, path: join(path, table) };
  await listFolder(path).catch((cause) => {
    const some = names.slice(0, 5).join(", ") || "nothing";
    throw new DataError(
      `${path}: expected tar or parquet shards, metadata.jsonl, metadata.csv or images, got ${some}`,
      "put the type before the path, as in text:PATH/file",
      { cause },
    );
  });
  return { type: "folder", path };
}
