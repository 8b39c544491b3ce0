/** Where engines lie that npm does not bring: in the folder `engines/` of the cache, or in the packages of an installed Python. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

/** `<HF_HOME>/flava/engines`, else `<XDG_CACHE_HOME>/huggingface/…`, else `~/.cache/huggingface/flava/engines`. */
export function enginesFolder(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(env.HF_HOME || join(cache, "huggingface"), "flava", "engines");
}

const ASK = "import sys; print('\\n'.join(p for p in sys.path if p))";

/** Folders of packages that `python3` imports from; none without Python. */
export async function pythonFolders(): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)("python3", ["-c", ASK], { timeout: 10_000 });
    return stdout.split("\n").filter((folder) => existsSync(folder));
  } catch {
    return [];
  }
}

/** What lies in a folder, as paths; nothing where there is none. What is still being unpacked does not count. */
export const subfolders = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.endsWith(".partial"))
        .map((name) => join(folder, name))
    : [];

/** Where to look for an engine's library. */
export interface FindOptions {
  /** The library's own path: nothing is looked for. */
  readonly library?: string | undefined;
  /** Where unpacked wheels lie, one a folder or all in one. */
  readonly engines?: string;
  /** Folders of Python packages; those of `python3` unless said. */
  readonly python?: readonly string[];
}

/** The first of some files in a folder of packages; `folders` are those that were looked in, the cache's before Python's. */
export async function findInPackages(
  files: readonly string[],
  { engines = enginesFolder(), python }: FindOptions = {},
): Promise<{ path?: string; folders: string[] }> {
  const folders = [engines, ...subfolders(engines), ...(python ?? (await pythonFolders()))];
  for (const folder of folders)
    for (const file of files) if (existsSync(join(folder, file))) return { path: join(folder, file), folders };
  return { folders };
}
