/** COCO's captions JSON (`captions_train2017.json`): one sample an image, with all its captions. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { filesFingerprint } from "./fingerprint.ts";
import { indexedSamples } from "./indexed.ts";
import { parseJson } from "./json.ts";
import { imagePlace, onePath, type PlaceOptions, sampleWithImage } from "./record.ts";
import type { Reading, Source } from "./source.ts";
import { readText } from "./text-file.ts";

export type CocoOptions = PlaceOptions;

const MAX_JSON_BYTES = 2 ** 30;

const idSchema = z.union([z.int(), z.string()]);
const imageSchema = z.object({ id: idSchema, file_name: z.string().min(1) });
/** A caption is checked with its image, so that a bad one costs no more than its image. */
const annotationSchema = z.object({ image_id: idSchema, caption: z.unknown() });
/** Entries are checked one by one: one that is wrong is one bad sample. */
const cocoSchema = z.object({ images: z.array(z.unknown()), annotations: z.array(z.unknown()) });

interface CocoImage {
  readonly key: string;
  /** Absent where the entry cannot be used. */
  readonly entry: z.infer<typeof imageSchema> | undefined;
  /** Its number is that of another file too, so nobody knows whose captions they are. */
  readonly shared: boolean;
}

/** The images of a captions file in the order of the file. Keys are the file names, with the number of the entry where one repeats. */
export async function cocoSource(
  name: string,
  path: string,
  options: CocoOptions = {},
  reading: Reading = {},
): Promise<Source> {
  const coco = await readCoco(path, reading);
  const images = imagesOf(coco.images);
  const ids = new Set(images.map(({ entry }) => entry?.id));
  const captions = new Map<string | number, unknown[]>();
  const stray: string[] = [];
  for (const [i, annotation] of coco.annotations.entries()) {
    const parsed = annotationSchema.safeParse(annotation);
    if (!parsed.success || !ids.has(parsed.data.image_id)) stray.push(`annotations[${i}]`);
    else captions.set(parsed.data.image_id, [...(captions.get(parsed.data.image_id) ?? []), parsed.data.caption]);
  }
  const place = imagePlace(path, options);
  const load = async (i: number, abort: Reading): ReturnType<typeof sampleWithImage> => {
    const { key, entry, shared } = images[i]!;
    if (shared) return { key, reason: `another image has the id ${entry?.id}, so its captions may be the other one's` };
    if (entry === undefined) return { key, reason: "expected an image with id and file_name" };
    const text = captions.get(entry.id) ?? [];
    if (text.some((caption) => typeof caption === "string" && caption.includes("\ufffd")))
      return { key, reason: "a caption is not valid UTF-8" };
    const fields = { key, text, textExpected: true, meta: { image_id: entry.id } };
    return sampleWithImage(fields, place, entry.file_name, abort);
  };
  return {
    name,
    count: images.length,
    fingerprint: () => filesFingerprint([path]),
    samples: (sampling = {}) => {
      for (const key of stray) sampling.onBad?.({ source: name, key, reason: "a caption of no image", kept: true });
      return indexedSamples(name, images.length, sampling, load);
    },
  };
}

function imagesOf(entries: readonly unknown[]): CocoImage[] {
  const parsed = entries.map((entry) => imageSchema.safeParse(entry).data);
  const times = new Map<string, number>();
  const filesOf = new Map<string | number, Set<string>>();
  for (const entry of parsed) {
    if (entry === undefined) continue;
    times.set(entry.file_name, (times.get(entry.file_name) ?? 0) + 1);
    filesOf.set(entry.id, (filesOf.get(entry.id) ?? new Set()).add(onePath(entry.file_name)));
  }
  return parsed.map((entry, i) => {
    const once = entry !== undefined && times.get(entry.file_name) === 1 && !entry.file_name.includes("#");
    const shared = entry !== undefined && filesOf.get(entry.id)!.size > 1;
    return { key: once ? entry.file_name : `${entry?.file_name ?? "images"}#${i}`, entry, shared };
  });
}

async function readCoco(path: string, reading: Reading): Promise<z.infer<typeof cocoSchema>> {
  const bytes = await readText(path, MAX_JSON_BYTES, reading);
  let value: unknown;
  try {
    value = parseJson(decodeUtf8(bytes) ?? new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new DataError(`${path}: expected JSON: ${(cause as Error).message}`, undefined, { cause });
  }
  const parsed = cocoSchema.safeParse(value);
  const { images = [], annotations = [] } = parsed.data ?? {};
  const fits = images.length === 0 || images.some((image) => imageSchema.safeParse(image).success);
  if (parsed.success && fits && annotations.some((one) => annotationSchema.safeParse(one).success)) return parsed.data;
  throw new DataError(
    `${path}: expected COCO captions with images[id, file_name] and annotations[image_id, caption]`,
    parsed.error && z.prettifyError(parsed.error).split("\n").slice(0, 4).join(" "),
    { cause: parsed.error },
  );
}
