/** CLEVR (https://cs.stanford.edu/people/jcjohns/clevr/): how many objects a scene has. */
import { join } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { readJson, statOf } from "../../io/index.ts";
import type { Item, LayoutReader } from "./layout.ts";

const schema = z.object({
  scenes: z.array(z.object({ image_filename: z.string().min(1), objects: z.array(z.unknown()) })),
});

const fileOf = (root: string, split: string): string => join(root, "scenes", `CLEVR_${split}_scenes.json`);

/** scenes/CLEVR_train_scenes.json with images/train/. */
export const clevr: LayoutReader = {
  looks: "scenes/CLEVR_train_scenes.json, scenes/CLEVR_val_scenes.json, images/train/, images/val/",
  isThere: async ({ root }) => (await statOf(fileOf(root, "val"))) !== undefined,
  async split({ root }, name) {
    const file = fileOf(root, name);
    if (!(await statOf(file))) return undefined;
    const parsed = schema.safeParse(await readJson(file));
    if (!parsed.success)
      throw new DataError(`${file}: ${z.prettifyError(parsed.error).split("\n").slice(0, 2).join(" ")}`);
    const items = parsed.data.scenes.map(({ image_filename, objects }): Item => {
      const path = `images/${name}/${image_filename}`;
      return { key: path, path, label: String(objects.length) };
    });
    return { items, files: [file] };
  },
};
