/** The binary version of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): labels and planes of 32 by 32. */
import { join } from "node:path";
import { namesIn } from "../../io/index.ts";
import { readRange, recordCount } from "./files.ts";
import { type Item, type LayoutReader, type Place, splitNames } from "./layout.ts";
import { planesPicture } from "./raw-picture.ts";

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;

/** data_batch_1.bin to data_batch_5.bin and test_batch.bin with one label a record; train.bin and test.bin with two, the second the finer. */
export const cifarBinary: LayoutReader = {
  looks: "data_batch_1.bin … and test_batch.bin (CIFAR-10), or train.bin and test.bin (CIFAR-100): the binary version",
  isThere: async (place) => (await filesOf(place, "test")).files.length > 0,
  async split(place, name) {
    const { files, labels } = await filesOf(place, name);
    if (files.length === 0) return undefined;
    const length = labels + PIXELS;
    const items: Item[] = [];
    for (const file of files) items.push(...(await itemsOf(place, file, labels, length)));
    return {
      items,
      files: files.map((file) => join(place.root, file)),
      async load({ key, at }, { signal }) {
        const start = at! * length + labels;
        const path = join(place.root, key.slice(0, key.indexOf(":")));
        return planesPicture(await readRange(path, start, start + PIXELS, signal ?? undefined), SIDE, SIDE);
      },
    };
  },
};

async function filesOf({ root }: Place, split: string): Promise<{ files: string[]; labels: number }> {
  const train = splitNames("train").includes(split);
  if (!train && !splitNames("test").includes(split)) return { files: [], labels: 1 };
  const names = (await namesIn(root)).sort();
  const ten = names.filter((name) => (train ? /^data_batch_\d\.bin$/ : /^test_batch\.bin$/).test(name));
  if (ten.length > 0) return { files: ten, labels: 1 };
  return { files: names.filter((name) => name === (train ? "train.bin" : "test.bin")), labels: 2 };
}

/** Labels are read for all records at once, some thousands of records at a time. */
async function itemsOf({ root, signal }: Place, file: string, labels: number, length: number): Promise<Item[]> {
  const path = join(root, file);
  const count = await recordCount(path, length, signal);
  const items: Item[] = [];
  for (let first = 0; first < count; first += 4096) {
    const last = Math.min(count, first + 4096);
    const bytes = await readRange(path, first * length, last * length, signal);
    for (let i = first; i < last; i++)
      items.push({ key: `${file}:${i}`, at: i, label: bytes[(i - first) * length + labels - 1]! });
  }
  return items;
}
