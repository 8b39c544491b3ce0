/** STL-10's binaries (https://cs.stanford.edu/~acoates/stl10/): planes of 96 by 96, column by column; labels from 1. */
import { basename, join } from "node:path";
import { DataError } from "../../errors.ts";
import { readBytes } from "../../io/index.ts";
import { firstThere, readRange, recordCount } from "./files.ts";
import { type Item, type LayoutReader, splitNames } from "./layout.ts";
import { planesPicture } from "./raw-picture.ts";

const SIDE = 96;
const LENGTH = 3 * SIDE * SIDE;
const MAX_LABELS = 1 << 24;

/** train_X.bin with train_y.bin, test_X.bin with test_y.bin. */
export const stlBinary: LayoutReader = {
  looks: "train_X.bin, train_y.bin, test_X.bin, test_y.bin",
  isThere: async ({ root }) => (await firstThere(root, ["test_X.bin"])) !== undefined,
  async split({ root, signal }, name) {
    const pictures = await firstThere(
      root,
      splitNames(name).map((one) => `${one}_X.bin`),
    );
    if (pictures === undefined) return undefined;
    const path = join(root, pictures);
    const labelsPath = path.replace(/_X\.bin$/, "_y.bin");
    const [count, labels] = [
      await recordCount(path, LENGTH, signal),
      await readBytes(labelsPath, MAX_LABELS, { signal }),
    ];
    if (labels.length !== count)
      throw new DataError(
        `${labelsPath}: expected ${count} labels, one for each picture of ${pictures}, got ${labels.length}`,
      );
    return {
      items: Array.from(labels, (label, at): Item => {
        const where = { key: `${pictures}:${at}`, labelAt: `${basename(labelsPath)}:${at}` };
        return { ...where, at, label: label - 1 };
      }),
      files: [path, labelsPath],
      load: async ({ at }, reading) =>
        planesPicture(await readRange(path, at! * LENGTH, (at! + 1) * LENGTH, reading.signal), SIDE, SIDE, true),
    };
  },
};
