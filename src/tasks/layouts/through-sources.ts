/** Layouts that the data sources read already: Karpathy's splits, CLIP_benchmark's tar shards, the Hub's parquet. */
import { basename, join } from "node:path";
import { openSource, type Source } from "../../data/index.ts";
import { namesIn, statOf } from "../../io/index.ts";
import { type LayoutReader, type Place, splitNames } from "./layout.ts";

const PICTURE_FOLDERS = ["flickr30k-images", "flickr30k_images", "images"];

/** The archive of Karpathy's splits has files of three data sets: the task's own, else the only one. */
async function karpathyFile({ root, task }: Place): Promise<string | undefined> {
  const found = (await namesIn(root)).filter((name) => /^dataset.*\.json$/.test(name));
  return found.find((name) => name === `dataset_${task.name}.json`) ?? (found.length === 1 ? found[0] : undefined);
}

/** dataset_coco.json with val2014/, dataset_flickr30k.json with flickr30k-images/. */
export const karpathyJson: LayoutReader = {
  looks: "dataset_coco.json with val2014/, or dataset_flickr30k.json with flickr30k-images/ (Karpathy's splits)",
  isThere: async (place) => (await karpathyFile(place)) !== undefined,
  async split(place, name) {
    const file = await karpathyFile(place);
    if (file === undefined) return undefined;
    const places = ["", ".."].flatMap((up) => [...PICTURE_FOLDERS.map((folder) => [up, folder]), [up, ""]]);
    const root = await pictureRoot(places.map(([up, folder]) => join(place.root, up!, folder!)));
    return openSource({ type: "json", path: join(place.root, file), split: name, root, name: place.task.name });
  },
};

/** The first that is a folder of pictures: called so, or with COCO's val2014 in it; the first that is there at all where none is. */
async function pictureRoot(paths: readonly string[]): Promise<string> {
  for (const path of paths)
    if (PICTURE_FOLDERS.includes(basename(path)) ? await statOf(path) : await statOf(join(path, "val2014")))
      return path;
  return paths[PICTURE_FOLDERS.length]!;
}

/** CLIP_benchmark's folders: test/0.tar, test/1.tar, …, and classnames.txt, which `openSplit` reads. */
export const webdataset: LayoutReader = {
  looks: "train/0.tar …, test/0.tar …, classnames.txt (CLIP_benchmark's folders)",
  isThere: async (place) => (await shards(place, "test", ".tar")).length > 0,
  split: (place, name) => sharded(place, name, ".tar", "tar"),
};

/** train-00000-of-00001.parquet, or test/0000.parquet, in the folder or in data/. */
export const parquet: LayoutReader = {
  looks: "train-00000-of-00001.parquet, test-00000-of-00001.parquet, in the folder or in data/ (the Hub's data sets)",
  isThere: async (place) => (await shards(place, place.task.data.splits.test?.[0] ?? "test", ".parquet")).length > 0,
  split: (place, name) => sharded(place, name, ".parquet", "parquet"),
};

async function sharded(place: Place, split: string, end: string, type: "tar" | "parquet"): Promise<Source | undefined> {
  const path = await shards(place, split, end);
  return path.length === 0 ? undefined : openSource({ type, path, name: place.task.name });
}

/** The shards of a split, in the order of their numbers. */
export async function shards({ root }: Pick<Place, "root">, split: string, end: string): Promise<string[]> {
  for (const name of splitNames(split))
    for (const folder of [name, "", "data", `data/${name}`]) {
      const whole = folder.endsWith(name);
      const found = (await filesIn(join(root, folder)))
        .filter((file) => file.endsWith(end) && (whole || file.startsWith(`${name}-`) || file === `${name}${end}`))
        .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      if (found.length > 0) return found.map((file) => join(root, folder, file));
    }
  return [];
}

const filesIn = async (folder: string): Promise<string[]> =>
  (await statOf(folder))?.isDirectory() ? namesIn(folder) : [];
