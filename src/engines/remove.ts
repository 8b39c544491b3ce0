/** `flava engine remove`: takes away what `add` has made, and nothing else. */
import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { settled } from "../errors.ts";
import { lockFile, writeError } from "../io/index.ts";
import { engineNamed } from "./catalogue.ts";
import { bytesOf, MANIFEST, readManifest } from "./manifest.ts";
import { enginesFolder, subfolders } from "./places.ts";

/** What has gone. */
export interface Removed {
  readonly folder: string;
  readonly version: string;
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
  if (found.length === 0) return [];
  await using _lock = await lockFile(join(root, `.${name}.lock`), { wait: true, note, signal });
  const removed: Removed[] = [];
  for (const { folder, manifest } of found)
    removed.push({ folder, version: manifest.version, bytes: bytesOf(manifest), kept: await removeFolder(folder) });
  if (version === undefined) await rm(join(root, `.wheels-${name}`), { recursive: true, force: true });
  return removed;
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
