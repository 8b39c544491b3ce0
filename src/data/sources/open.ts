/** From a spec — a path, a URL, `type:location`, or an object — to a source. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError, DataError } from "../../errors.ts";
import { baseName, isUrl, statOf } from "../../io/index.ts";
import { expandLocations } from "./braces.ts";
import { refuseSplits } from "./folder.ts";
import {
  formats,
  type OpenOptions,
  SOURCE_TYPES,
  type SourceSpec,
  type SourceType,
  sourceName,
  sourceSchema,
} from "./formats.ts";
import { type FolderListing, listFolder } from "./listing.ts";
import type { SampleOptions, Source } from "./source.ts";
import { openText } from "./text-file.ts";

/**
 * Opens a source. A string is `type:location` (`tar:data/{000..009}.tar`, `synthetic:1000x64`) or a location whose
 * type shows in its extension or, for a folder, in what it holds. Throws ConfigError for a spec that cannot be
 * understood and DataError for data that cannot be read.
 */
export async function openSource(spec: string | SourceSpec, options: OpenOptions = {}): Promise<Source> {
  const { spec: parsed, unread } = typeof spec === "string" ? await parseSpec(spec, options) : only(checkSpec(spec));
  const name = typeof spec === "string" ? spec : sourceName(parsed);
  const { fields, open } = formats[parsed.type];
  for (const location of locationsOf(parsed)) refuseScheme(location);
  const { outside, note } = options;
  const source = await open(name, { ...("outside" in fields && { outside }), ...parsed } as never, options);
  if (!note && unread.length === 0) return source;
  return { ...source, samples: (sampling = {}) => withUnread(source, unread, { ...(note && { note }), ...sampling }) };
}

/** What lies in a folder and is not read is reported once a pass. */
async function* withUnread(
  source: Source,
  unread: Guess["unread"],
  sampling: SampleOptions,
): ReturnType<Source["samples"]> {
  if ((sampling.shard?.index ?? 0) === 0)
    for (const { path: key, reason } of unread) sampling.onBad?.({ source: source.name, key, reason, kept: true });
  yield* source.samples(sampling);
}

function checkSpec(spec: unknown): SourceSpec {
  const parsed = sourceSchema.safeParse(spec);
  if (parsed.success) return parsed.data;
  throw new ConfigError(`source: ${z.prettifyError(parsed.error)}`, `type is one of ${SOURCE_TYPES.join(", ")}`, {
    cause: parsed.error,
  });
}

/** What a string stands for: its format, and its files. Throws ConfigError, DataError as openSource does. */
export const resolveSpec = async (spec: string, options: OpenOptions = {}): Promise<SourceSpec> =>
  (await parseSpec(spec, options)).spec;

/** What a string was taken for, and what of its folder is left aside. */
interface Guess {
  readonly spec: SourceSpec;
  readonly unread: FolderListing["passed"];
}

const only = (spec: SourceSpec): Guess => ({ spec, unread: [] });

async function parseSpec(spec: string, options: OpenOptions): Promise<Guess> {
  const { type: named, rest } = splitSpec(spec);
  if (named !== undefined && isType(named)) return only(checkSpec(parseTyped(spec, named, rest)));
  if (named !== undefined)
    throw new ConfigError(`${spec}: expected one of ${SOURCE_TYPES.join(", ")} before the colon, got ${named}`);
  const first = expandLocations(spec)[0]!;
  refuseScheme(first);
  const found = isUrl(first) ? undefined : await statOf(first);
  if (found?.isDirectory()) return guessFolder(first);
  const extension = /\.([a-z]+)(?:\.gz)?$/i.exec(baseName(first))?.[1]?.toLowerCase();
  const type = await typeOf(first, extension, options);
  if (type !== undefined) return only(checkSpec({ type, path: spec }));
  const extensions = new Set(SOURCE_TYPES.flatMap((one) => formats[one].extensions ?? []));
  const known = [...extensions].map((one) => `.${one}`);
  const help = "put the type before it, as in tar:PATH";
  throw new ConfigError(
    `${spec}: expected a folder or one of ${known.join(", ")}, got ${extension ? `.${extension}` : "no extension"}`,
    isUrl(first) || found ? help : `there is no such file; ${help}`,
  );
}

/** The format that an extension means; where it means several, the first bytes of the file say which. */
async function typeOf(
  path: string,
  extension: string | undefined,
  reading: OpenOptions,
): Promise<SourceType | undefined> {
  const types = SOURCE_TYPES.filter((type) => extension !== undefined && formats[type].extensions?.includes(extension));
  if (types.length < 2) return types[0];
  const file = await openText(path, reading);
  try {
    let head = "";
    for await (const chunk of file.stream()) {
      head = new TextDecoder().decode(chunk);
      break;
    }
    return types.find((type) => formats[type].suits?.(head) ?? true);
  } finally {
    await file.close();
  }
}

/** `type:rest`; without a type for a plain location (a URL, a path, a drive of Windows). */
export function splitSpec(spec: string): { type: string | undefined; rest: string } {
  const typed = /^([a-z]{2,}):(?!\/\/)(.*)$/s.exec(spec);
  return { type: typed?.[1], rest: typed?.[2] ?? spec };
}

const isType = (name: string): name is SourceType => Object.hasOwn(formats, name);

function parseTyped(spec: string, type: SourceType, rest: string): unknown {
  const { parse, rest: written } = formats[type];
  const fields = parse ? parse(rest) : { path: rest };
  if (fields === undefined) throw new ConfigError(`${spec}: expected ${type}:${written}`);
  return { type, ...fields };
}

/** The local files, folders and URLs that a spec names. */
export function locationsOf(spec: string | SourceSpec): string[] {
  if (typeof spec !== "string") return "path" in spec ? [spec.path].flat().flatMap(expandLocations) : [];
  const { type, rest } = splitSpec(spec);
  if (type === undefined || !isType(type)) return expandLocations(spec);
  const fields = formats[type].parse?.(rest) ?? { path: rest };
  return "path" in fields ? [fields.path].flat().flatMap(expandLocations) : [];
}

/** A folder holds shards, a table beside its images (also one in each sub-folder), or images; in this order. */
async function guessFolder(path: string): Promise<Guess> {
  const names = (await readdir(path)).sort();
  const unreadable = (): void => undefined; // a folder that cannot be read is no shard and no table
  for (const type of SOURCE_TYPES) {
    const { inFolder } = formats[type];
    if (inFolder === undefined) continue;
    const suits = (name: string): boolean =>
      inFolder.startsWith(".") ? name.toLowerCase().endsWith(inFolder) && !name.startsWith(".") : name === inFolder;
    const files = names.filter(suits);
    if (files.length === 0) continue;
    const spec = checkSpec({ type, path: files.map((name) => join(path, name)) });
    return { spec, unread: unreadIn(await listFolder(path, unreadable), files) };
  }
  const listing = await listFolder(path);
  const { pictures, tables } = listing;
  const types = [
    ...new Set(tables.map((table) => SOURCE_TYPES.find((type) => formats[type].inFolder === baseName(table)))),
  ];
  if (types.length === 1) {
    refuseSplits(path, tables);
    const spec = checkSpec({ type: types[0], path: tables.map((table) => join(path, table)) });
    return { spec, unread: unreadIn(listing, tables) };
  }
  if (pictures.length > 0 && types.length === 0) return only({ type: "folder", path });
  const some = (types.length > 1 ? tables : names).slice(0, 5).join(", ") || "nothing";
  throw new DataError(
    `${path}: expected tar or parquet shards, metadata.jsonl or metadata.csv, or images, got ${some}`,
    names.length === 0 ? "is it the right folder?" : "put the type before the path, as in text:PATH/file",
  );
}

/** Tables, shards and pictures of a folder that are not among the files that are read, and that no table read may name. */
function unreadIn({ pictures, tables, passed }: FolderListing, read: readonly string[]): Guess["unread"] {
  const [first] = read as [string];
  const others = read.length > 1 ? ` and ${count(read.length - 1)} more of its kind are` : " is";
  const [stems, names] = [new Set(read.map(stemOf)), new Set(read)];
  const isShard = (name: string): boolean => /\.(tar|parquet)$/i.test(name) && !stems.has(stemOf(name));
  const files = [...tables, ...passed.map(({ path }) => path).filter(isShard)].filter((name) => !names.has(name));
  const covered = tables.includes(first) ? read.map((table) => table.slice(0, table.lastIndexOf("/") + 1)) : [];
  const left = pictures.filter(({ path }) => !covered.some((folder) => path.startsWith(folder)));
  const nor = left.length > 1 ? `, nor are ${count(left.length - 1)} more pictures` : "";
  return [
    ...files.map((path) => ({ path, reason: `is not read: ${first}${others}` })),
    ...left.slice(0, 1).map(({ path }) => ({ path, reason: `is not read${nor}: ${first}${others}` })),
  ];
}

const count = (n: number): string => n.toLocaleString("en-US");

/** `00000_stats.json` and `00000.parquet` go with `00000.tar`. */
const stemOf = (path: string): string => path.replace(/\.[^./]+$/, "");

/** What to do about addresses that cannot be read. */
const OTHER_SCHEMES: Readonly<Record<string, (rest: string) => string>> = {
  s3: () => "copy it here with `aws s3 cp`, or give an https address, as `aws s3 presign` makes one",
  gs: (rest) =>
    `copy it here with \`gcloud storage cp\`, or give https://storage.googleapis.com/${rest} if it is public`,
  hf: (rest) => {
    const [kind, owner, name, ...file] = rest.split("/");
    const repo = kind === "datasets" ? `datasets/${owner}/${name}` : `${kind}/${owner}`;
    const path = kind === "datasets" ? file : [name, ...file];
    return `give https://huggingface.co/${repo}/resolve/main/${path.join("/")}, or fetch it with \`hf download\``;
  },
  file: (rest) => `give the path alone: ${rest.replace(/^(localhost)?(?=\/)/, "")}`,
};

/** Throws ConfigError for an address that is neither a path nor http(s). */
function refuseScheme(location: string): void {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]+):\/\/(.*)$/is.exec(location) ?? [];
  if (scheme === undefined || isUrl(location)) return;
  const help = OTHER_SCHEMES[scheme.toLowerCase()]?.(rest!) ?? "copy it to a folder, or to a server that speaks https";
  throw new ConfigError(`${location}: expected a path or an http(s) address, got ${scheme}://`, help);
}
