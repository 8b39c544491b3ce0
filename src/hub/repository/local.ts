/** A repository that is a folder on this computer. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { FileError, NoSuchFile } from "../../errors.ts";
import { openFile, statOf, systemReason } from "../../io/index.ts";
import { nearest } from "../../tensor/hints.ts";
import type { RepositoryFile } from "./facts.ts";
import { checkFileName } from "./names.ts";
import type { OnProgress } from "./progress.ts";
import type { Repository } from "./repository.ts";

interface LocalOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The folder, or the folder around a single file. */
export function localRepository(
  path: string,
  isFolder: boolean,
  { signal, onProgress }: LocalOptions = {},
): Repository {
  const dir = isFolder ? path : dirname(path);
  const find = async (name: string): Promise<string> => {
    signal?.throwIfAborted();
    const full = join(dir, checkFileName(name, path));
    if ((await statOf(full))?.isFile()) {
      onProgress?.({ status: "initiate", name: path, file: name });
      onProgress?.({ status: "done", name: path, file: name });
      return full;
    }
    const names = (await filesBelow(dir).catch(() => [])).map((file) => file.name);
    throw new NoSuchFile(`${full}: expected a file, got none`, nearest(name, names));
  };
  const open = async (name: string) => openFile(await find(name), signal);
  return {
    kind: isFolder ? "folder" : "file",
    name: path,
    dir,
    file: isFolder ? undefined : basename(path),
    revision: undefined,
    files: () => filesBelow(dir, isFolder),
    has: async (name) => (await statOf(join(dir, checkFileName(name, path))))?.isFile() ?? false,
    path: find,
    paths: (names) => Promise.all(names.map(find)),
    open,
    peek: open,
  };
}

/** Every file below a folder by its name inside, sorted; hidden ones and unfinished ones are left out. */
export async function filesBelow(dir: string, recursive = true): Promise<RepositoryFile[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw new FileError(`${dir}: expected a folder that can be read, got ${systemReason(cause)}`, undefined, { cause });
  });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((name) => !name.split("/").some((part) => part.startsWith(".")) && !name.endsWith(".partial"));
  const files = names.sort().map(async (name) => {
    const found = await stat(join(dir, name)).catch(() => undefined); // a link to nowhere
    return found?.isFile() ? [{ name, size: found.size }] : [];
  });
  return (await Promise.all(files)).flat();
}
