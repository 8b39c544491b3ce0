/** What the files of a source are: kept in checkpoints, so that a resumed run notices when other data lies at the same place. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { isUrl, openBytes, statOf } from "../../io/index.ts";

export interface FileState {
  /** From the folder that all files of the source share, so that data may move as a whole. */
  readonly name: string;
  /** null: there is no such file. */
  readonly bytes: number | null;
  /** A local file's time of change in milliseconds, a server's ETag or date, or a hash where one is known. */
  readonly version: number | string | null;
}

export interface Fingerprint {
  readonly files: number;
  readonly bytes: number;
  /** Of all names, sizes and versions, in their order. */
  readonly hash: string;
  /** Each file, where there are few enough to list them. */
  readonly list?: readonly FileState[] | undefined;
}

const fileSchema = z.strictObject({
  name: z.string(),
  bytes: z.number().nullable(),
  version: z.union([z.number(), z.string(), z.null()]),
});

export const fingerprintSchema: z.ZodType<Fingerprint> = z.strictObject({
  files: z.int().nonnegative(),
  bytes: z.number().nonnegative(),
  hash: z.string(),
  list: z.array(fileSchema).readonly().optional(),
});

const MAX_LISTED = 1000;
const AT_ONCE = 64;

/** The fingerprint of files as they are now, by paths and URLs. Servers are asked, nothing is read. */
export async function filesFingerprint(locations: readonly string[]): Promise<Fingerprint> {
  const names = relativeNames(locations);
  const states: FileState[] = [];
  for (let i = 0; i < locations.length; i += AT_ONCE) {
    const some = locations.slice(i, i + AT_ONCE);
    states.push(...(await Promise.all(some.map(async (at, k) => ({ name: names[i + k]!, ...(await stateOf(at)) })))));
  }
  return fingerprintOf(states);
}

/** The fingerprint of files whose states are known. */
export function fingerprintOf(states: readonly FileState[]): Fingerprint {
  const hash = createHash("sha256");
  for (const { name, bytes, version } of states) hash.update(`${JSON.stringify([name, bytes, version])}\n`);
  return {
    files: states.length,
    bytes: states.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    hash: hash.digest("hex"),
    ...(states.length <= MAX_LISTED && { list: states }),
  };
}

/** What changed between two fingerprints, a line for each file; empty where nothing did. */
export function changedFiles(before: Fingerprint, now: Fingerprint): string[] {
  if (before.hash === now.hash) return [];
  const summary = `${before.files} files of ${before.bytes} bytes, now ${now.files} of ${now.bytes}`;
  if (!before.list || !now.list) return [before.files === now.files ? `${summary}: some changed` : summary];
  const after = new Map(now.list.map((file) => [file.name, file]));
  const known = new Set(before.list.map(({ name }) => name));
  const lines = [
    ...before.list.flatMap((file) => changeOf(file, after.get(file.name)) ?? []),
    ...now.list.filter(({ name }) => !known.has(name)).map(({ name }) => `${name}: new`),
  ];
  return lines.length > 0 ? lines : ["the same files in another order"];
}

function changeOf(before: FileState, now: FileState | undefined): string | undefined {
  const { name, bytes, version } = before;
  if (now === undefined || (now.bytes === null && bytes !== null)) return `${name}: gone`;
  if (now.bytes !== bytes) return `${name}: ${bytes ?? "no"} bytes, now ${now.bytes}`;
  if (now.version !== version) return `${name}: of ${versionText(version)}, now of ${versionText(now.version)}`;
  return undefined;
}

const versionText = (version: FileState["version"]): string =>
  typeof version === "number" ? new Date(version).toISOString() : (version ?? "an unknown time");

async function stateOf(location: string): Promise<Omit<FileState, "name">> {
  if (isUrl(location)) {
    const { byteLength, version = null, close } = await openBytes(location);
    await close();
    return { bytes: byteLength, version };
  }
  const found = await statOf(location);
  return found ? { bytes: found.size, version: Math.round(found.mtimeMs) } : { bytes: null, version: null };
}

/** The locations without the folders that all of them share, and without what stands behind the ? of a URL. */
function relativeNames(locations: readonly string[]): string[] {
  const parts = locations.map((at) => (isUrl(at) ? at.replace(/[?#].*$/, "") : at).split(/[/\\]/));
  const [first = []] = parts;
  const shortest = parts.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  let shared = 0;
  while (shared < shortest - 1 && parts.every((names) => names[shared] === first[shared])) shared++;
  return parts.map((names) => names.slice(shared).join("/"));
}
