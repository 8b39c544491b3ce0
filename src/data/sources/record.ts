/** Records that name their image by path or URL: CSV and JSONL rows, COCO entries, parquet rows without bytes. */
import { realpath } from "node:fs/promises";
import { dirname, posix, relative, resolve, sep } from "node:path";
import { FileError } from "../../errors.ts";
import { isUrl, parentOf, readBytes, resolveLocation } from "../../io/index.ts";
import { type RawFields, toSample } from "./fields.ts";
import type { Bad, FileRecord } from "./files.ts";
import type { Reading, Sample } from "./source.ts";

const MAX_IMAGE_BYTES = 1 << 28;

/** What a table may name: it comes from others, so its paths must not reach any file of the machine that reads it. */
export interface PlaceOptions {
  /** The folder or URL that image paths start from and stay in; the table's own folder unless given. */
  readonly root?: string | undefined;
  /** Paths may lead out of that folder: absolute, with `..`, through links, or to another server than the table's. */
  readonly outside?: boolean | undefined;
}

/** Where the images of one table are looked for. */
export interface ImagePlace {
  /** One name for every spelling of a location: relative to the table, with `..`, or absolute. */
  one(location: string): string;
  /** The path or URL of an image, or why it is not read. */
  locate(location: string): Promise<{ readonly at: string } | { readonly reason: string }>;
}

/** The place of the images that a table names. */
export function imagePlace(table: string, { root, outside = false }: PlaceOptions): ImagePlace {
  const from = root ?? parentOf(table);
  return isUrl(from) ? remotePlace(from, outside) : localPlace(from, root === undefined ? table : undefined, outside);
}

const HELP = "allow it with `outside: true`, or name the folder with `root`";

/** Images of a table from a server: on that server and below that address. A local file is never meant. */
function remotePlace(from: string, outside: boolean): ImagePlace {
  const base = new URL(from.endsWith("/") ? from : `${from}/`);
  return {
    one: onePath,
    async locate(location) {
      const refusal = otherScheme(location);
      if (refusal !== undefined) return { reason: refusal };
      if (/^([/\\]|[a-z]:[/\\])/i.test(location))
        return { reason: `${location}: a table from ${base.host} names a local file; name its folder with \`root\`` };
      const at = isUrl(location) ? location : resolveLocation(from, location);
      const url = new URL(at);
      if (outside || (url.origin === base.origin && (isUrl(location) || url.pathname.startsWith(base.pathname))))
        return { at };
      return { reason: `${location}: leads out of ${base}; ${HELP}` };
    },
  };
}

/** Images of a table on this machine: below its folder, or where the table itself really lies (a link into a cache); or at a URL. */
function localPlace(from: string, table: string | undefined, outside: boolean): ImagePlace {
  let homes: Promise<(string | undefined)[]> | undefined;
  return {
    one: (location) => (isUrl(location) ? location : resolve(resolveLocation(from, location))),
    async locate(location) {
      const refusal = otherScheme(location);
      if (refusal !== undefined) return { reason: refusal };
      if (isUrl(location)) return { at: location };
      const at = resolveLocation(from, location);
      if (outside) return { at };
      if (!isInside(resolve(from), resolve(at))) return { reason: `${location}: leads out of ${from || "."}; ${HELP}` };
      const real = await realPath(at);
      if (real === undefined) return { at }; // it is missing: reading says so
      homes ??= Promise.all([realPath(resolve(from)), table === undefined ? undefined : realFolder(table)]);
      const inside = (await homes).some((home) => home !== undefined && isInside(home, real));
      return inside ? { at } : { reason: `${location}: a link that leads out of ${from || "."}; ${HELP}` };
    },
  };
}

/** Why an address of another kind than http is not read. */
function otherScheme(location: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]+):(\/\/|.*;base64,)/is.exec(location)?.[1];
  if (scheme === undefined || isUrl(location)) return undefined;
  return `${location.slice(0, 60)}: expected a path or an http(s) address, got ${scheme}:`;
}

const realPath = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);

async function realFolder(file: string): Promise<string | undefined> {
  const real = await realPath(file);
  return real && dirname(real);
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !/^([a-z]:)?[/\\]/i.test(way);
}

/** The bytes of an image file, or the reason why there are none (a string). */
export async function loadImage(place: ImagePlace, location: string, reading: Reading): Promise<Uint8Array | string> {
  const found = await place.locate(location);
  return "reason" in found ? found.reason : readImage(found.at, reading);
}

/** The bytes of an image at a path or URL, or the reason why there are none. */
export async function readImage(at: string, reading: Reading): Promise<Uint8Array | string> {
  try {
    return await readBytes(at, MAX_IMAGE_BYTES, reading);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return error.message.split("\n")[0]!;
  }
}

/** The sample of a record whose image, if it has one, lies at `location` as its table sees it. */
export async function sampleWithImage(
  fields: Omit<RawFields, "image">,
  place: ImagePlace,
  location: string | undefined,
  reading: Reading,
): Promise<Sample | Bad> {
  if (location === undefined) return toSample(fields);
  const image = await loadImage(place, location, reading);
  return typeof image === "string" ? { key: fields.key, reason: image } : toSample({ ...fields, image });
}

/** A row of a table as a record: rows of one picture with one label are put together where they have captions, unless they stay apart. */
export const tableRecord = (
  fields: Omit<RawFields, "image">,
  location: string | undefined,
  { place, apart }: { readonly place: ImagePlace; readonly apart?: boolean | undefined },
): Omit<FileRecord, "place"> => {
  const { key, text, label } = fields;
  const together = !apart && location !== undefined && text !== undefined;
  return {
    row: together ? { key, picture: JSON.stringify([place.one(location), String(label)]), text } : undefined,
    load: (reading, more = []) =>
      sampleWithImage(more.length > 0 ? { ...fields, text: [text, ...more].flat() } : fields, place, location, reading),
  };
};

/** `./a.png`, `x/../a.png` and `a.png` are one picture. */
export const onePath = (location: string): string => (isUrl(location) ? location : posix.normalize(location));
