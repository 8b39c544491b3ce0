/** PatchCamelyon's HDF5 files (https://github.com/basveeling/pcam): pictures of 96 by 96 in one data set, labels in another file. */
import { basename, join } from "node:path";
import { ConfigError, DataError } from "../../errors.ts";
import { firstThere, readRange } from "./files.ts";
import { type Item, type LayoutReader, splitNames } from "./layout.ts";
import { interleavedPicture } from "./raw-picture.ts";

const fileOf = (split: string, what: "x" | "y"): string => `camelyonpatch_level_2_split_${split}_${what}.h5`;

/** Pictures that are read together: the file holds them in chunks. */
const AT_ONCE = 64;
const MAX_SAMPLES = 1 << 24;

/** camelyonpatch_level_2_split_valid_x.h5 with …_valid_y.h5, unpacked. */
export const pcam: LayoutReader = {
  looks: "camelyonpatch_level_2_split_train_x.h5, …_train_y.h5, …_valid_x.h5, …_valid_y.h5 (unpacked)",
  isThere: async ({ root }) =>
    (await firstThere(
      root,
      ["valid", "train"].map((split) => fileOf(split, "x")),
    )) !== undefined,
  async split({ root, task }, name) {
    const pictures = await firstThere(
      root,
      splitNames(name).map((split) => fileOf(split, "x")),
    );
    if (pictures === undefined) return undefined;
    const [path, labelsPath] = [join(root, pictures), join(root, pictures.replace(/_x\.h5$/, "_y.h5"))];
    const [x, y] = [await openDataset(path, "x", task.name), await openDataset(labelsPath, "y", task.name)];
    const [count = 0, height = 0, width = 0, channels] = x.shape;
    if (x.shape.length !== 4 || channels !== 3 || count > MAX_SAMPLES)
      throw new DataError(`task ${task.name}: ${path}: expected pictures (N, 96, 96, 3), got (${x.shape.join(", ")})`);
    if (y.shape[0] !== count)
      throw new DataError(`task ${task.name}: ${labelsPath}: expected ${count} labels, got ${y.shape[0] ?? 0}`);
    const labels = y.read(0, count);
    const size = height * width * 3;
    let block: { readonly from: number; readonly values: Uint8Array } = { from: -1, values: labels };
    return {
      items: Array.from(
        labels,
        (label, at): Item => ({ key: `${pictures}:${at}`, labelAt: `${basename(labelsPath)}:${at}`, at, label }),
      ),
      files: [path, labelsPath],
      async load({ at }) {
        const from = at! - (at! % AT_ONCE);
        if (block.from !== from) block = { from, values: x.read(from, Math.min(count, from + AT_ONCE)) };
        return interleavedPicture(block.values.subarray((at! - from) * size, (at! - from + 1) * size), width, height);
      },
    };
  },
};

/** A data set of bytes in a file. */
interface Bytes {
  readonly shape: readonly number[];
  /** Rows start..end−1. */
  read(start: number, end: number): Uint8Array;
}

/** Opens one. Throws ConfigError where h5wasm is missing, DataError for another kind of file. */
async function openDataset(path: string, name: string, task: string): Promise<Bytes> {
  const { default: h5 } = await import("h5wasm/node").catch((cause: unknown) => {
    throw new ConfigError(
      `task ${task}: ${path}: reading HDF5 needs the package h5wasm, which is not installed`,
      "npm install h5wasm; or take the Hub's parquet or CLIP_benchmark's shards",
      { cause },
    );
  });
  await h5.ready;
  const dataset = (await isHdf5(path)) ? openedIn(h5, path, name) : undefined;
  if (!(dataset instanceof h5.Dataset) || dataset.dtype !== "<B" || !dataset.shape)
    throw new DataError(
      `task ${task}: ${path}: expected an HDF5 file with bytes in the data set ${name}, got ${dataset instanceof h5.Dataset ? `values of type ${JSON.stringify(dataset.dtype)}` : "none"}`,
      "is the download complete, and unpacked?",
    );
  const { shape } = dataset;
  const rest = shape.slice(1).map(() => [] as []);
  return { shape, read: (start, end) => dataset.slice([[start, end], ...rest]) as Uint8Array };
}

/** Asked first, as the library writes about other files to the terminal. Throws FileError where there is none. */
const isHdf5 = async (path: string): Promise<boolean> =>
  String.fromCharCode(...(await readRange(path, 0, 4))) === "\x89HDF";

/** What a file has under a name; undefined for a damaged file. */
function openedIn(h5: typeof import("h5wasm/node").default, path: string, name: string): unknown {
  try {
    const file = new h5.File(path, "r");
    return file.file_id < 0n ? undefined : file.get(name);
  } catch {
    return undefined;
  }
}
