/** Lists with a picture and its class a line: Oxford-IIIT Pet (annotations/trainval.txt), FGVC Aircraft (images_variant_train.txt). */
import { join } from "node:path";
import { firstThere, readLinesOf } from "./files.ts";
import { type Item, type LayoutReader, type Place, splitNames } from "./layout.ts";

/** A list: its name for a split, and what a line of it says. */
interface ListForm {
  file(split: string): string;
  /** Name of the picture without its ending, and of its class; undefined where a line is none. */
  parse(line: string): readonly [picture: string, label: string] | undefined;
}

const FORMS: readonly ListForm[] = [
  {
    file: (split) => `annotations/${split}.txt`,
    parse(line) {
      const [, picture, label] = /^((.+)_\d+)\s+\d+\s+\d+\s+\d+\s*$/.exec(line) ?? [];
      return picture === undefined ? undefined : [picture, label!];
    },
  },
  {
    file: (split) => `images_variant_${split}.txt`,
    parse(line) {
      const [, picture, label] = /^(\S+)\s+(.+?)\s*$/.exec(line) ?? [];
      return picture === undefined ? undefined : [picture, label!];
    },
  },
];

/** Lists with classes beside images/. */
export const labelledLists: LayoutReader = {
  looks:
    "annotations/trainval.txt and test.txt (Pets) or images_variant_train.txt and the like (Aircraft), beside images/",
  isThere: async (place) => (await formOf(place, "test")) !== undefined,
  async split(place, name) {
    const found = await formOf(place, name);
    if (found === undefined) return undefined;
    const file = join(place.root, found.file);
    const items = (await readLinesOf(file, place.signal))
      .filter((line) => !line.startsWith("#"))
      .map((line): Item => {
        const parsed = found.form.parse(line);
        if (!parsed) return { key: line.slice(0, 80), refused: `${found.file}: expected a picture and its class` };
        return { key: parsed[0], label: parsed[1], path: `images/${parsed[0]}.jpg` };
      });
    return { items, files: [file] };
  },
};

async function formOf({ root }: Place, split: string): Promise<{ form: ListForm; file: string } | undefined> {
  for (const form of FORMS) {
    const file = await firstThere(root, splitNames(split).map(form.file));
    if (file !== undefined) return { form, file };
  }
  return undefined;
}
