/** A folder for each class, below one for each split: what torchvision's ImageFolder reads, and archives of CLIP's own sets. */
import { join } from "node:path";
import { isPicture, listFolder } from "../../data/sources/listing.ts";
import { namesIn } from "../../io/index.ts";
import { firstThere } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames, WHOLE } from "./layout.ts";
import { foldersIn } from "./places.ts";

/** Pictures below `split/class/`; without folders for splits below `class/`. */
export const classFolders: LayoutReader = {
  looks: "split/class/picture, or class/picture where the data have no splits",
  async isThere({ root, task }) {
    if (await splitFolder({ root, task }, task.data.splits.test?.[0] ?? "test")) return true;
    return task.data.drawn !== undefined && (await hasClasses(root));
  },
  async split(place, name) {
    if (name === WHOLE) return (await hasSplits(place)) ? undefined : listed(place, "");
    const folder = await splitFolder(place, name);
    return folder === undefined ? undefined : listed(place, folder);
  },
};

/** Whether two folders or more have pictures in themselves. */
async function hasClasses(root: string): Promise<boolean> {
  let classes = 0;
  for (const folder of await foldersIn(root)) {
    if ((await namesIn(folder)).some(isPicture)) classes++;
    if (classes > 1) return true;
  }
  return false;
}

const hasSplits = async (place: Place): Promise<boolean> =>
  (await splitFolder(place, "train")) !== undefined || (await splitFolder(place, "test")) !== undefined;

/** The folder of a split, with folders in it. */
async function splitFolder({ root }: Place, name: string): Promise<string | undefined> {
  const folder = await firstThere(root, splitNames(name));
  return folder !== undefined && (await foldersIn(join(root, folder))).length > 0 ? folder : undefined;
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
