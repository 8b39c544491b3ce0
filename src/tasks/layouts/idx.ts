/** IDX files of MNIST (http://yann.lecun.com/exdb/mnist/), plain or gzip: big-endian sizes, then bytes. */
import { join, posix } from "node:path";
import { DataError } from "../../errors.ts";
import { firstThere, readUnpacked } from "./files.ts";
import { type Item, type LayoutReader, type Place, splitNames } from "./layout.ts";
import { greyPicture } from "./raw-picture.ts";

const FOLDERS = ["", "raw", "MNIST/raw"];
const MAX_BYTES = 1 << 28;

/** train-images-idx3-ubyte with train-labels-idx1-ubyte; t10k-… for the test. */
export const idx: LayoutReader = {
  looks:
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, or these with .gz",
  isThere: async (place) => (await fileOf(place, "test", "images-idx3")) !== undefined,
  async split(place, name) {
    const pictures = await fileOf(place, name, "images-idx3");
    if (pictures === undefined) return undefined;
    const names = await fileOf(place, name, "labels-idx1");
    if (names === undefined) throw new DataError(`${place.root}: expected labels beside ${pictures}, got none`);
    const [path, labelsPath] = [join(place.root, pictures), join(place.root, names)];
    const { shape, data } = await readIdx(path, 3, place.signal);
    const labels = await readIdx(labelsPath, 1, place.signal);
    const [count, height, width] = shape as [number, number, number];
    if (labels.shape[0] !== count)
      throw new DataError(
        `${labelsPath}: expected ${count} labels, one for each picture of ${pictures}, got ${labels.shape[0]}`,
      );
    const size = height * width;
    return {
      items: Array.from(
        labels.data,
        (label, at): Item => ({ key: `${pictures}:${at}`, labelAt: `${names}:${at}`, at, label }),
      ),
      files: [path, labelsPath],
      load: async ({ at }) => greyPicture(data.subarray(at! * size, (at! + 1) * size), width, height),
    };
  },
};

function fileOf({ root }: Place, split: string, part: "images-idx3" | "labels-idx1"): Promise<string | undefined> {
  const start = splitNames("train").includes(split) ? "train" : splitNames("test").includes(split) ? "t10k" : split;
  const names = [`${start}-${part}-ubyte`, `${start}-${part.replace("-", ".")}-ubyte`];
  return firstThere(
    root,
    FOLDERS.flatMap((folder) => names.flatMap((name) => ["", ".gz"].map((end) => posix.join(folder, name + end)))),
  );
}

async function readIdx(
  path: string,
  rank: number,
  signal?: AbortSignal,
): Promise<{ shape: number[]; data: Uint8Array }> {
  const bytes = await readUnpacked(path, MAX_BYTES, signal);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = 4 + 4 * rank;
  const magic = 0x800 + rank; // unsigned bytes
  if (bytes.length < head || view.getUint32(0) !== magic)
    throw new DataError(`${path}: expected an IDX file of unsigned bytes with ${rank} dimensions, got another`);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((product, n) => product * n, 1);
  if (bytes.length !== head + size)
    throw new DataError(
      `${path}: expected ${shape.join(" × ")} = ${size} bytes behind the header, got ${bytes.length - head}`,
    );
  return { shape, data: bytes.subarray(head) };
}
