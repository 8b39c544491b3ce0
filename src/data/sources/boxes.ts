/**
 * Pictures with the boxes of what is in them, as people have drawn them: COCO's instances_*.json, or Visual Genome's objects.json with
 * image_data.json beside it.
 */
import { z } from "zod";
import { ConfigError, DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { baseName, isRecord } from "../../io/index.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { indexedSamples } from "./indexed.ts";
import { parseJson } from "./json.ts";
import type { Objects } from "./objects.ts";
import { imagePlace, type PlaceOptions, sampleWithImage } from "./record.ts";
import type { Reading, Source } from "./source.ts";
import { readText } from "./text-file.ts";

export interface BoxesOptions extends PlaceOptions {
  /**
   * What a class is numbered by. COCO: "ids", the numbers of its categories (91 with 0, as in DETR), or "order", their places in the file. Visual
   * Genome: a file with a class a line, synonyms with commas between; the first line is class 1.
   */
  readonly classes?: string | undefined;
}

const MAX_JSON_BYTES = 2 ** 30;

const id = z.union([z.int(), z.string()]);
const picture = z.looseObject({ width: z.number().positive(), height: z.number().positive() });
const cocoImage = picture.extend({ id, file_name: z.string().min(1) });
const cocoBox = z.looseObject({
  image_id: id,
  category_id: z.int().nonnegative(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  iscrowd: z.union([z.number(), z.boolean()]).optional(),
});
const coco = z.looseObject({
  images: z.array(z.unknown()),
  annotations: z.array(z.unknown()),
  categories: z.array(z.looseObject({ id: z.int().nonnegative() })).min(1),
});
const genomeImage = picture.extend({ image_id: id, url: z.string().optional() });
const genomeBox = z.looseObject({
  ...{ x: z.number(), y: z.number(), w: z.number(), h: z.number() },
  names: z.array(z.string()).optional(),
  name: z.string().optional(),
});
const genome = z.looseObject({ image_id: id, objects: z.array(z.unknown()) });

/** A box in pixels. */
interface Drawn {
  readonly class: number;
  readonly box: readonly [x: number, y: number, w: number, h: number];
}

/** A picture of the file, or why it cannot be used. */
interface Entry {
  readonly key: string;
  readonly reason?: string | undefined;
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly drawn: Drawn[];
}

/** What was left out without losing a picture, by a sentence. */
type Left = Map<string, number>;

/** Whether a JSON file that begins so holds boxes. */
export const hasBoxes = (head: string): boolean => /"(bbox|iscrowd|supercategory|segmentation)"\s*:/.test(head);

/** All pictures of the file in its order, those without boxes too. Keys are file names. */
export async function boxSource(
  name: string,
  path: string,
  options: BoxesOptions = {},
  reading: Reading = {},
): Promise<Source> {
  const value = await readJson(path, reading);
  const left: Left = new Map();
  const isGenome = Array.isArray(value);
  const entries = isGenome
    ? await genomeEntries(path, value, options, { reading, left })
    : cocoEntries(path, value, options, left);
  const place = imagePlace(path, options);
  const files = isGenome
    ? [path, besides(path, "image_data.json"), ...(options.classes ? [options.classes] : [])]
    : [path];
  return {
    name,
    count: entries.length,
    fingerprint: () => filesFingerprint(files),
    samples: (sampling = {}) => {
      for (const [reason, count] of left)
        sampling.onBad?.({ source: name, key: path, reason: `${count} ${reason}`, kept: true });
      return indexedSamples(name, entries.length, sampling, async (i, abort) => {
        const { key, reason, file, ...entry } = entries[i]!;
        if (reason !== undefined) return { key, reason };
        const note = (what: string): void => sampling.onBad?.({ source: name, key, reason: what, kept: true });
        const loaded = await sampleWithImage({ key }, place, file, abort);
        return "reason" in loaded ? loaded : { ...loaded, objects: objectsOf(entry, note) };
      });
    },
  };
}

/** Centre, width and height as shares. What lies outside the picture is cut off; a box of no area is left out. */
function objectsOf(
  { width, height, drawn }: Pick<Entry, "width" | "height" | "drawn">,
  note: (what: string) => void,
): Objects {
  const classes: number[] = [];
  const boxes: number[] = [];
  let outside = 0;
  for (const { class: c, box } of drawn) {
    const [x, y, w, h] = box;
    const within = (at: number, side: number): number => Math.min(1, Math.max(0, at / side));
    const [left, top] = [within(x, width), within(y, height)];
    const [right, bottom] = [within(x + w, width), within(y + h, height)];
    if (!(right > left && bottom > top)) outside++;
    else {
      classes.push(c);
      boxes.push((left + right) / 2, (top + bottom) / 2, right - left, bottom - top);
    }
  }
  if (outside > 0) note(`${outside} ${outside === 1 ? "box has" : "boxes have"} no area inside the picture`);
  return { classes, boxes };
}

const count = (left: Left, reason: string): void => void left.set(reason, (left.get(reason) ?? 0) + 1);

function cocoEntries(path: string, value: unknown, { classes = "ids" }: BoxesOptions, left: Left): Entry[] {
  const parsed = coco.safeParse(value);
  if (!parsed.success || !parsed.data.annotations.some((one) => cocoBox.safeParse(one).success))
    throw new DataError(
      `${path}: expected COCO's boxes with images[id, file_name, width, height], annotations[image_id, category_id, bbox] and categories[id]`,
      parsed.error && z.prettifyError(parsed.error).split("\n").slice(0, 4).join(" "),
      { cause: parsed.error },
    );
  if (classes !== "ids" && classes !== "order")
    throw new ConfigError(`${path}: classes: expected ids or order, got "${classes}"`);
  const order = new Map(
    parsed.data.categories.map((category, i) => [category.id, classes === "ids" ? category.id : i]),
  );
  const byId = new Map<string | number, Entry>();
  const entries = parsed.data.images.map((image, i): Entry => {
    const found = cocoImage.safeParse(image).data;
    if (!found)
      return { key: `images#${i}`, reason: "expected an image with id, file_name, width and height", ...NONE };
    const { file_name: file, width, height } = found;
    const twice = byId.has(found.id);
    const entry: Entry = {
      key: file,
      file,
      width,
      height,
      drawn: [],
      ...(twice && { reason: `another image has the id ${found.id}` }),
    };
    if (!twice) byId.set(found.id, entry);
    return entry;
  });
  for (const one of parsed.data.annotations) {
    const found = cocoBox.safeParse(one).data;
    const entry = found && byId.get(found.image_id);
    const number = found && order.get(found.category_id);
    if (!found) count(left, "annotations without image_id, category_id and bbox");
    else if (!entry) count(left, "boxes of no image");
    else if (number === undefined) count(left, "boxes of no category");
    else if (found.iscrowd) count(left, "boxes around crowds, which are no objects");
    else entry.drawn.push({ class: number, box: found.bbox });
  }
  return entries;
}

const NONE = { file: "", width: 1, height: 1, drawn: [] };

async function genomeEntries(
  path: string,
  value: readonly unknown[],
  { classes }: BoxesOptions,
  { reading, left }: { readonly reading: Reading; readonly left: Left },
): Promise<Entry[]> {
  if (classes === undefined)
    throw new ConfigError(
      `${path}: classes: expected a file with a class a line, as the names of Visual Genome's objects are free words, got none`,
      "the list that most models use is objects_vocab.txt of bottom-up attention",
    );
  const numbers = vocabulary(classes, await textOf(classes, reading), left);
  const place = besides(path, "image_data.json");
  const sizes = new Map<string | number, z.infer<typeof genomeImage>>();
  const described = await readJson(place, reading);
  for (const one of Array.isArray(described) ? described : []) {
    const found = genomeImage.safeParse(one).data;
    if (found) sizes.set(found.image_id, found);
  }
  if (!value.some((one) => genome.safeParse(one).success) || sizes.size === 0)
    throw new DataError(
      `${path}: expected Visual Genome's objects[image_id, objects], and ${place} with image_id, width and height`,
    );
  const seen = new Set<string>();
  return value.map((one, i): Entry => {
    const found = genome.safeParse(one).data;
    if (!found)
      return { key: `${baseName(path)}#${i}`, reason: "expected an entry with image_id and objects", ...NONE };
    const size = sizes.get(found.image_id);
    const key = String(found.image_id);
    if (seen.has(key)) return { key, reason: `another entry has the image_id ${key}`, ...NONE };
    seen.add(key);
    if (!size) return { key, reason: `${baseName(place)} does not say how large the picture is`, ...NONE };
    // The pictures lie in two folders; the address of each says which.
    const file = /([^/]+\/[^/]+)$/.exec(size.url ?? "")?.[1] ?? `${key}.jpg`;
    const drawn = found.objects.flatMap((object) => genomeObject(object, numbers, left));
    return { key, file, width: size.width, height: size.height, drawn };
  });
}

function genomeObject(object: unknown, numbers: ReadonlyMap<string, number>, left: Left): Drawn[] {
  const found = genomeBox.safeParse(object).data;
  if (!found) {
    count(left, "objects without x, y, w and h");
    return [];
  }
  const number = [...(found.names ?? []), found.name ?? ""].map((word) => numbers.get(plain(word))).find(Boolean);
  if (number === undefined) {
    count(left, "objects whose names are in no class");
    return [];
  }
  return [{ class: number, box: [found.x, found.y, found.w, found.h] }];
}

const plain = (word: string): string => word.trim().toLowerCase();

/** Class numbers from 1 by name; of a name on two lines the last, as in the code that trained detectors on such lists. */
function vocabulary(path: string, text: string, left: Left): Map<string, number> {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new DataError(`${path}: expected a class a line, got none`);
  const numbers = new Map<string, number>();
  for (const [i, line] of lines.entries())
    for (const name of line.split(",").map(plain)) {
      if (name === "") continue;
      if ((numbers.get(name) ?? i + 1) !== i + 1)
        count(left, "names on two lines of the classes, of which the last counts");
      numbers.set(name, i + 1);
    }
  return numbers;
}

/** A file in the same folder. */
const besides = (path: string, name: string): string => `${path.slice(0, path.length - baseName(path).length)}${name}`;

async function textOf(path: string, reading: Reading): Promise<string> {
  const bytes = await readText(path, MAX_JSON_BYTES, reading);
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new DataError(`${path}: expected UTF-8`);
  return text;
}

async function readJson(path: string, reading: Reading): Promise<unknown> {
  const text = await textOf(path, reading);
  try {
    const value = parseJson(text);
    if (Array.isArray(value) || isRecord(value)) return value;
  } catch (cause) {
    throw new DataError(`${path}: expected JSON: ${(cause as Error).message}`, undefined, { cause });
  }
  throw new DataError(`${path}: expected an object or a list, got ${text.slice(0, 20)}`);
}
