/** Lists in MATLAB's files: Stanford Cars (devkit/cars_train_annos.mat), Oxford Flowers 102 (imagelabels.mat, setid.mat). */
import { join, posix } from "node:path";
import { DataError } from "../../errors.ts";
import { readBytes } from "../../io/index.ts";
import { firstThere } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames } from "./layout.ts";
import { type MatValue, readMat } from "./mat-file.ts";

const MAX_BYTES = 1 << 27;
/** The list of Cars' test with classes is a download of its own. */
const CARS: readonly (readonly [names: readonly string[], lists: readonly string[], folder: string])[] = [
  [splitNames("train"), ["cars_train_annos.mat"], "cars_train"],
  [splitNames("test"), ["cars_test_annos_withlabels.mat"], "cars_test"],
];
const FLOWERS: readonly (readonly [names: readonly string[], variable: string])[] = [
  [splitNames("train"), "trnid"],
  [splitNames("val"), "valid"],
  [splitNames("test"), "tstid"],
];

/** Cars and Flowers. */
export const matLists: LayoutReader = {
  looks:
    "devkit/cars_train_annos.mat, cars_test_annos_withlabels.mat, cars_train/, cars_test/; or imagelabels.mat, setid.mat, jpg/",
  isThere: async ({ root }) =>
    (await firstThere(root, ["setid.mat", "devkit/cars_train_annos.mat", "cars_train_annos.mat"])) !== undefined,
  async split(place, name) {
    return (await firstThere(place.root, ["setid.mat"])) ? flowers(place, name) : cars(place, name);
  },
};

async function cars(place: Place, split: string): Promise<Listing | undefined> {
  const [, lists, folder] = CARS.find(([names]) => names.includes(split)) ?? [];
  if (!lists || !folder) return undefined;
  const list = await firstThere(
    place.root,
    ["", "devkit"].flatMap((at) => lists.map((file) => posix.join(at, file))),
  );
  if (list === undefined)
    throw new DataError(
      `${place.root}: expected ${lists[0]}, found none`,
      "the test's list with classes is a file of its own",
    );
  const { file, value } = await variable(place, list, "annotations");
  const items = (value as readonly Readonly<Record<string, MatValue>>[]).map((row): Item => {
    const name = row.fname ?? row.relative_im_path;
    const label = row.class instanceof Float64Array ? row.class[0] : undefined;
    if (typeof name !== "string" || label === undefined)
      return { key: String(name ?? list), refused: `${list}: expected fname and class` };
    const path = posix.join(folder, posix.basename(name));
    return { key: path, labelAt: `${list}: ${name}`, path, label: label - 1 };
  });
  return { items, files: [file] };
}

async function flowers(place: Place, split: string): Promise<Listing | undefined> {
  const name = FLOWERS.find(([names]) => names.includes(split))?.[1];
  if (name === undefined) return undefined;
  const ids = await variable(place, "setid.mat", name);
  const labels = await variable(place, "imagelabels.mat", "labels");
  const items = Array.from(ids.value as Float64Array, (id): Item => {
    const path = `jpg/image_${String(id).padStart(5, "0")}.jpg`;
    const label = (labels.value as Float64Array)[id - 1];
    return label === undefined
      ? { key: path, refused: "imagelabels.mat has no class for it" }
      : { key: path, labelAt: `imagelabels.mat: image ${id}`, path, label: label - 1 };
  });
  return { items, files: [ids.file, labels.file] };
}

async function variable(
  { root, signal }: Place,
  list: string,
  name: string,
): Promise<{ file: string; value: MatValue }> {
  const file = join(root, list);
  const value = readMat(file, await readBytes(file, MAX_BYTES, { signal })).get(name);
  const fits = name === "annotations" ? Array.isArray(value) : value instanceof Float64Array;
  if (!fits)
    throw new DataError(
      `${file}: expected the variable ${name}, found ${value === undefined ? "none" : "another kind"}`,
    );
  return { file, value: value! };
}
