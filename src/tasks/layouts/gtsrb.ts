/** GTSRB (https://benchmark.ini.rub.de): a folder of .ppm for each class to train on, a list of classes for the final test. */
import { join, posix } from "node:path";
import { listFolder } from "../../data/sources/listing.ts";
import { DataError } from "../../errors.ts";
import { firstThere, readLinesOf } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames } from "./layout.ts";

const TRAIN = ["Training", "Final_Training/Images", "Train"];
const TEST = ["Final_Test/Images", "Test"];
/** The official list with the classes is an archive of its own; torchvision puts it beside the folder GTSRB. */
const TEST_LISTS = [
  "Final_Test/Images/GT-final_test.csv",
  "Final_Test/GT-final_test.csv",
  "GT-final_test.csv",
  "../GT-final_test.csv",
];

/** The training archive and the final test. */
export const gtsrb: LayoutReader = {
  looks: "Training/00000/*.ppm (or Final_Training/Images), Final_Test/Images/*.ppm, GT-final_test.csv",
  isThere: async ({ root }) =>
    (await firstThere(root, TRAIN.slice(0, 2))) !== undefined || (await firstThere(root, TEST)) !== undefined,
  async split(place, name) {
    if (splitNames("train").includes(name)) return training(place);
    return splitNames("test").includes(name) ? finalTest(place) : undefined;
  },
};

async function training({ root }: Place): Promise<Listing | undefined> {
  const folder = await firstThere(root, TRAIN);
  if (folder === undefined) return undefined;
  const { pictures } = await listFolder(join(root, folder));
  const items = pictures.map(({ path }): Item => {
    const key = posix.join(folder, path);
    const label = /^\d+(?=\/)/.exec(path)?.[0];
    return label === undefined
      ? { key, refused: "the picture lies in no folder of a class" }
      : { key, path: key, label: Number(label) };
  });
  return { items, files: [] };
}

async function finalTest({ root, signal }: Place): Promise<Listing | undefined> {
  const folder = await firstThere(root, TEST);
  if (folder === undefined) return undefined;
  const list = await firstThere(root, TEST_LISTS);
  if (list === undefined)
    throw new DataError(
      `${root}: expected GT-final_test.csv with the classes of ${folder}, found none`,
      "it is in GTSRB_Final_Test_GT.zip; GT-final_test.test.csv has no classes",
    );
  const file = join(root, list);
  const [header = "", ...rows] = await readLinesOf(file, signal);
  const columns = header.split(";");
  const [nameAt, classAt] = [columns.indexOf("Filename"), columns.indexOf("ClassId")];
  if (nameAt < 0 || classAt < 0)
    throw new DataError(`${file}: expected the columns Filename and ClassId, got ${header}`);
  const items = rows.map((row): Item => {
    const cells = row.split(";");
    const path = posix.join(folder, cells[nameAt] ?? "");
    return { key: path, path, label: /^\d+$/.test(cells[classAt] ?? "") ? Number(cells[classAt]) : undefined };
  });
  return { items, files: [file] };
}
