/**
 * Lists of paths that begin with the class: Food101's meta/train.txt, DTD's labels/train1.txt, SUN397's Training_01.txt, UCF101's
 * trainlist01.txt. SUN397 without its lists is read from its folders, and its splits are drawn.
 */
import { join, posix } from "node:path";
import { isPicture, listFolder } from "../../data/sources/listing.ts";
import { statOf } from "../../io/index.ts";
import { firstThere, readLinesOf } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames, WHOLE } from "./layout.ts";

const LIST_FOLDERS = ["", "meta", "labels", "Partitions", "ucfTrainTestlist"];
/** Folders that paths of a list may start from. */
const PICTURE_FOLDERS = ["", "images", "UCF-101", "frames"];
const VIDEO = /\.(avi|mp4|mkv|webm|mov)$/i;

/** How the sets spell their lists of a split. */
const SPELLED: readonly (readonly [names: readonly string[], lists: readonly string[]])[] = [
  [splitNames("train"), ["train.txt", "train1.txt", "Training_01.txt", "trainlist01.txt"]],
  [splitNames("val"), ["val.txt", "val1.txt"]],
  [splitNames("test"), ["test.txt", "test1.txt", "Testing_01.txt", "testlist01.txt"]],
];

/** Lists of paths. */
export const pathLists: LayoutReader = {
  looks: "lists of paths (meta/train.txt, labels/train1.txt, Training_01.txt, trainlist01.txt) beside the pictures",
  isThere: async (place) => (await listOf(place, "test")) !== undefined || (await isSun(place.root)),
  async split(place, name) {
    const list = await listOf(place, name === WHOLE ? "test" : name);
    if (name === WHOLE) return list === undefined && (await isSun(place.root)) ? sunFolders(place) : undefined;
    return list === undefined ? undefined : listed(place, list);
  },
};

/** SUN397 has folders a/ to z/ with the classes below them. */
const isSun = async (root: string): Promise<boolean> =>
  (await statOf(join(root, "a", "abbey")))?.isDirectory() ?? false;

async function listOf({ root }: Place, name: string): Promise<string | undefined> {
  const lists = SPELLED.find(([names]) => names.includes(name))?.[1] ?? [];
  const all = [`${name}.txt`, ...lists];
  return firstThere(
    root,
    LIST_FOLDERS.flatMap((folder) => all.map((list) => posix.join(folder, list))),
  );
}

async function listed({ root, signal }: Place, list: string): Promise<Listing> {
  const file = join(root, list);
  const items: Item[] = [];
  for (const line of await readLinesOf(file, signal)) {
    const named = line
      .trim()
      .replace(/^\/+/, "")
      .replace(/\s+\d+$/, ""); // UCF101 puts the number of the class behind
    const label = classOf(named);
    const found = await pictureOf(root, named);
    items.push(
      "path" in found ? { key: named, label, path: found.path } : { key: named, label, refused: found.reason },
    );
  }
  return { items, files: [file] };
}

/** All folders but the last part; SUN397's letter is none of the class. */
const classOf = (path: string): string => posix.dirname(path).replace(/^[a-z]\//, "");

async function pictureOf(root: string, named: string): Promise<{ path: string } | { reason: string }> {
  const stem = named.replace(VIDEO, "");
  const ends = VIDEO.test(named)
    ? [`${stem}.jpg`, `${stem}.png`, `${named}.jpg`, `${named}.png`]
    : isPicture(named)
      ? [named]
      : [`${named}.jpg`, `${named}.png`];
  const path = await firstThere(
    root,
    PICTURE_FOLDERS.flatMap((folder) => ends.map((end) => posix.join(folder, end))),
  );
  if (path !== undefined) return { path };
  const frame = VIDEO.test(named) ? await middleFrame(root, stem) : undefined;
  if (frame !== undefined) return { path: frame };
  const video =
    VIDEO.test(named) &&
    (await firstThere(
      root,
      PICTURE_FOLDERS.map((folder) => posix.join(folder, named)),
    ));
  return {
    reason: video
      ? `a video: put its middle frame beside it as ${posix.basename(stem)}.jpg`
      : `expected a picture ${ends[0]}, found none`,
  };
}

/** Of a folder of frames the one in the middle: of n, number n/2+1. */
async function middleFrame(root: string, stem: string): Promise<string | undefined> {
  const folder = await firstThere(
    root,
    PICTURE_FOLDERS.map((one) => posix.join(one, stem)),
  );
  if (folder === undefined) return undefined;
  const { pictures } = await listFolder(join(root, folder));
  const middle = pictures[Math.floor(pictures.length / 2)];
  return middle && posix.join(folder, middle.path);
}

async function sunFolders({ root }: Place): Promise<Listing> {
  const { pictures } = await listFolder(root);
  return {
    items: pictures.map(({ path }) => ({ key: path, path, label: classOf(path) })),
    files: [],
  };
}
