/** `flava engine remove`: takes away what `add` has made, and nothing else. */
import { existsSync, readdirSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { settled } from "../errors.ts";
import { lockFile, PARTIAL, statOf, writeError } from "../io/index.ts";
import { engineNamed } from "./catalogue.ts";
import { bytesOf, type EngineManifest, MANIFEST, readManifest } from "./manifest.ts";
import { enginesFolder, subfolders } from "./places.ts";

/** What has gone. */
export interface Removed {
  readonly folder: string;
  /** Undefined: what an interrupted `add` had fetched or unpacked. */
  readonly version: string | undefined;
  readonly bytes: number;
  /** Files that `add` had not made: they stay, and so does their folder. */
  readonly kept: readonly string[];
}

/** How engines are removed. */
export interface RemoveOptions {
  /** Only this version. */
  readonly version?: string | undefined;
  readonly folder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly note?: ((line: string) => void) | undefined;
}

/** Removes all versions of an engine, and half wheels of it. Throws NameError, FileError. */
export async function removeEngine(name: string, options: RemoveOptions = {}): Promise<Removed[]> {
  engineNamed(name);
  const { version, folder: root = enginesFolder(), note, signal } = options;
  const found = subfolders(root).flatMap((folder) => {
    const manifest = readManifest(folder);
    return manifest?.engine === name && (version === undefined || manifest.version === version)
      ? [{ folder, manifest }]
      : [];
  });
  if (found.length === 0 && (version !== undefined || halves(root, name).length === 0)) return [];
  await using _lock = await lockFile(join(root, `.${name}.lock`), { wait: true, note, signal });
  const removed: Removed[] = [];
  for (const { folder, manifest } of found)
    removed.push({ folder, version: manifest.version, bytes: bytesOf(manifest), kept: await removeFolder(folder) });
  for (const folder of version === undefined ? halves(root, name) : []) {
    removed.push({ folder, version: undefined, bytes: await bytesIn(folder), kept: [] });
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
      Promise.reject(writeError(folder, error)),
    );
  }
  return removed;
}

/** Folders that an interrupted `add` has left: wheels that are fetched in part, engines that are unpacked in part. */
const halves = (root: string, name: string): string[] =>
  existsSync(root)
    ? readdirSync(root)
        .filter((one) => one === `.wheels-${name}` || (one.startsWith(`${name}-`) && one.endsWith(PARTIAL)))
        .map((one) => join(root, one))
    : [];

async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const found = await Promise.all(names.map((name) => statOf(join(folder, name))));
  return found.reduce((sum, one) => sum + (one?.isFile() ? one.size : 0), 0);
}

/** What lies in an engine's folder beside what its manifest names. */
export async function foreignFiles(folder: string, manifest: EngineManifest | undefined): Promise<string[]> {
  const own = new Set([MANIFEST, ...(manifest?.files ?? []).map(({ path }) => path)].map((path) => join(folder, path)));
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => manifest === undefined || !own.has(path))
    .map((path) => relative(folder, path));
}

/** Removes the files that a manifest names, and the folders that are then empty. Resolves to what is left. */
export async function removeFolder(folder: string): Promise<string[]> {
  const paths = (readManifest(folder)?.files ?? []).map(({ path }) => path);
  try {
    for (const path of paths) await rm(join(folder, path), { force: true });
    await rm(join(folder, MANIFEST), { force: true });
  } catch (error) {
    throw writeError(folder, error);
  }
  const folders = new Set(paths.flatMap((path) => ancestors(path)));
  for (const one of [...folders].sort((a, b) => b.length - a.length)) await settled(rmdir(join(folder, one)));
  await settled(rmdir(folder));
  return readdir(folder, { recursive: true }).catch(() => []);
}

/** "a/b/c.so" → "a/b", "a". */
function ancestors(path: string): string[] {
  const up = dirname(path);
  return up === "." ? [] : [up, ...ancestors(up)];
}
