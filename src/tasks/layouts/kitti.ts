/**
 * KITTI's object detection set as a classification by distance (VTAB, arXiv:1910.04867, with the classes of CLIP's data notes): how far
 * the nearest vehicle is.
 */
import { join } from "node:path";
import { namesIn } from "../../io/index.ts";
import { firstThere, readLinesOf } from "./files.ts";
import { type Item, type LayoutReader, WHOLE } from "./layout.ts";

const FOLDERS = ["training", "raw/training", "Kitti/raw/training"];
const VEHICLES = new Set(["Car", "Van", "Truck"]);
/** In metres along the camera's axis; farther is class 2, none at all class 3. */
const BOUNDS = [8, 20];
const NONE = 3;
/** Of a line of a label file: the object's kind, and z of its place. */
const Z = 13;

/** training/image_2 with training/label_2: its test set has no labels, so splits are drawn. */
export const kitti: LayoutReader = {
  looks: "training/image_2/000000.png, training/label_2/000000.txt",
  isThere: async ({ root }) =>
    (await firstThere(
      root,
      FOLDERS.map((folder) => `${folder}/label_2`),
    )) !== undefined,
  async split({ root, signal }, name) {
    const folder = name === WHOLE ? await firstThere(root, FOLDERS) : undefined;
    if (folder === undefined) return undefined;
    const labels = (await namesIn(join(root, folder, "label_2"))).filter((file) => file.endsWith(".txt")).sort();
    const items: Item[] = [];
    for (const file of labels) {
      const path = `${folder}/image_2/${file.replace(/\.txt$/, ".png")}`;
      const label = classOf(await readLinesOf(join(root, folder, "label_2", file), signal));
      items.push(
        label === undefined
          ? { key: path, refused: `label_2/${file}: expected an object a line` }
          : { key: path, path, label },
      );
    }
    return { items, files: labels.map((file) => join(root, folder, "label_2", file)) };
  },
};

function classOf(lines: readonly string[]): number | undefined {
  let nearest = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const cells = line.trim().split(/\s+/);
    const z = Number(cells[Z]);
    if (cells.length < 15 || !Number.isFinite(z)) return undefined;
    if (VEHICLES.has(cells[0]!)) nearest = Math.min(nearest, z);
  }
  if (nearest === Number.POSITIVE_INFINITY) return NONE;
  const found = BOUNDS.findIndex((bound) => nearest <= bound);
  return found < 0 ? BOUNDS.length : found;
}
