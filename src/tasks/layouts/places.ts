/** Where a task's data may lie below the root of all data: as tasks name it, and as archives unpack and people call it. */
import { join } from "node:path";
import { isPicture } from "../../data/sources/listing.ts";
import { namesIn, statOf } from "../../io/index.ts";
import type { Task } from "../schema.ts";

/** Parts of a task's folder that are not its own: others have them too. */
const COMMON: ReadonlySet<string> = new Set(["glue", "data"]);
/** How far below a folder of the task's name its data are looked for: imagenet/ILSVRC/Data/CLS-LOC. */
const DEPTH = 3;
/** Folders with more folders than that hold classes, not archives. */
const MOST_FOLDERS = 12;

/** Folders that are there, the likeliest first, each once. */
export async function* placesOf({ name, data: { folder } }: Task, dataRoot: string): AsyncGenerator<string> {
  const seen = new Set<string>();
  const there = async (path: string): Promise<boolean> => {
    if (seen.has(path) || !(await statOf(path))?.isDirectory()) return false;
    seen.add(path);
    return true;
  };
  for (const path of [folder, name].map((one) => join(dataRoot, one))) if (await there(path)) yield path;
  const own = new Set([name, ...folder.split("/").filter((part) => !COMMON.has(part))].map(bare));
  let level = [...seen, ...(await calledSo(dataRoot, own))];
  for (let depth = 0; depth <= DEPTH && level.length > 0; depth++) {
    for (const path of level) if (await there(path)) yield path;
    level = (await Promise.all(level.map(archivesIn))).flat();
  }
}

/** Letters and digits of a name: SST-2, sst2 and SST_2 are one. */
const bare = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Folders of one of these names in the root, and in its folders (glue_data/SST-2). */
async function calledSo(root: string, names: ReadonlySet<string>): Promise<string[]> {
  const fits = (path: string): boolean => names.has(bare(path.slice(path.lastIndexOf("/") + 1)));
  const first = await foldersIn(root);
  const second = (await Promise.all(first.filter((path) => !fits(path)).map(foldersIn))).flat();
  return [...first, ...second].filter(fits);
}

async function archivesIn(path: string): Promise<string[]> {
  const folders = await foldersIn(path);
  return folders.length > MOST_FOLDERS ? [] : folders;
}

/** Full paths, in the order of their names, without hidden ones; none of what is no folder. */
export async function foldersIn(path: string): Promise<string[]> {
  if (!(await statOf(path))?.isDirectory()) return [];
  const all = (await namesIn(path)).filter((name) => !/^(\.|__MACOSX$)/.test(name) && !isPicture(name)).sort(); // of pictures there may be 100,000
  const paths = all.map((name) => `${path.replace(/[/\\]+$/, "")}/${name}`);
  const kinds = await Promise.all(paths.map(async (one) => (await statOf(one))?.isDirectory()));
  return paths.filter((_, i) => kinds[i]);
}
