/** A folder for each class, below one for each split: what torchvision's ImageFolder reads, and archives of CLIP's own sets. */
import { join } from "node:path";
import { listFolder } from "../../data/sources/listing.ts";
import { namesIn, statOf } from "../../io/index.ts";
import { firstThere } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames, WHOLE } from "./layout.ts";

/** Pictures below `split/class/`; without folders for splits below `class/`. */
export const classFolders: LayoutReader = {
  looks: "split/class/picture, or class/picture where the data have no splits",
  async isThere({ root, task }) {
    const folders = await foldersOf(root);
    if (await splitFolder({ root, task }, task.data.splits.test?.[0] ?? "test")) return true;
    return task.data.drawn !== undefined && folders.length > 1;
  },
  async split(place, name) {
    if (name === WHOLE) return (await hasSplits(place)) ? undefined : listed(place, "");
    const folder = await splitFolder(place, name);
    return folder === undefined ? undefined : listed(place, folder);
  },
};

async function foldersOf(root: string): Promise<string[]> {
  const names = (await namesIn(root)).filter((name) => !name.startsWith("."));
  const kinds = await Promise.all(names.map(async (name) => (await statOf(join(root, name)))?.isDirectory()));
  return names.filter((_, i) => kinds[i]);
}

const hasSplits = async (place: Place): Promise<boolean> =>
  (await splitFolder(place, "train")) !== undefined || (await splitFolder(place, "test")) !== undefined;

/** The folder of a split, with folders in it. */
async function splitFolder({ root }: Place, name: string): Promise<string | undefined> {
  const folder = await firstThere(root, splitNames(name));
  return folder !== undefined && (await foldersOf(join(root, folder))).length > 0 ? folder : undefined;
}

async function listed({ root }: Place, folder: string): Promise<Listing> {
  const { pictures } = await listFolder(join(root, folder));
  const items = pictures.map(({ path }): Item => {
    const key = folder === "" ? path : `${folder}/${path}`;
    const slash = path.indexOf("/");
    return slash < 0
      ? { key, refused: "the picture lies in no folder of a class" }
      : { key, path: key, label: path.slice(0, slash) };
  });
  return { items, files: [] };
}
