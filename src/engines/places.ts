/** Where engines lie that npm does not bring: in the folder `engines/` of the cache, or in the packages of an installed Python. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { flavaCache, PARTIAL } from "../io/index.ts";

/** `engines/` in the cache folder. Throws ConfigError without a home. */
export const enginesFolder = (env?: NodeJS.ProcessEnv): string => join(flavaCache(env), "engines");

const ASK = "import sys; print('\\n'.join(p for p in sys.path if p))";

/** Folders that hold packages of Python: those of VIRTUAL_ENV and CONDA_PREFIX, then those that `python3` imports from. */
export async function pythonFolders(env: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const active = [env.VIRTUAL_ENV, env.CONDA_PREFIX].flatMap((prefix) => (prefix ? sitePackages(prefix) : []));
  return [...new Set([...active, ...(await importedFrom(env))])];
}

function sitePackages(prefix: string): string[] {
  const libs = ["lib", "lib64"].flatMap((lib) =>
    subfolders(join(prefix, lib)).filter((folder) => /[/\\]python3\.\d+t?$/.test(folder)),
  );
  return [...libs, join(prefix, "Lib")].map((lib) => join(lib, "site-packages")).filter((folder) => existsSync(folder));
}

/** None without Python. */
async function importedFrom(env: NodeJS.ProcessEnv): Promise<string[]> {
  const python = process.platform === "win32" ? "python" : "python3";
  try {
    const { stdout } = await promisify(execFile)(python, ["-c", ASK], { timeout: 10_000, env });
    return stdout.split(/\r?\n/).filter((folder) => folder !== "" && existsSync(folder));
  } catch {
    return [];
  }
}

/** What lies in a folder, as paths; nothing where there is none. What is hidden or still being unpacked does not count. */
export const subfolders = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.endsWith(PARTIAL) && !name.startsWith("."))
        .sort()
        .map((name) => join(folder, name))
    : [];

/** Where to look for an engine's library. */
export interface FindOptions {
  /** The library's own path: nothing is looked for. */
  readonly library?: string | undefined;
  /** Where unpacked wheels lie, one a folder or all in one. */
  readonly engines?: string | undefined;
  /** Folders of Python packages; those of `python3` unless said. */
  readonly python?: readonly string[] | undefined;
}

/** The first of some files in a folder of packages; `folders` are those that were looked in, the cache's before Python's. */
export async function findInPackages(
  files: readonly string[],
  { engines = enginesFolder(), python }: FindOptions = {},
): Promise<{ path?: string; folders: string[] }> {
  const own = [engines, ...subfolders(engines)];
  const inCache = firstOf(own, files);
  if (inCache !== undefined) return { path: inCache, folders: own };
  const folders = [...own, ...(python ?? (await pythonFolders()))];
  const path = firstOf(folders, files);
  return path === undefined ? { folders } : { path, folders };
}

/** By file first: what is best comes first among files, also where it lies in a later folder. */
function firstOf(folders: readonly string[], files: readonly string[]): string | undefined {
  for (const file of files) for (const folder of folders) if (existsSync(join(folder, file))) return join(folder, file);
  return undefined;
}
