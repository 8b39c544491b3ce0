/** COCO's captions JSON (`captions_train2017.json`): one sample an image, with all its captions. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { readBytes } from "../../io/index.ts";
import { indexedSamples } from "./indexed.ts";
import { imagePlace, type PlaceOptions, sampleWithImage } from "./record.ts";
import type { Source } from "./source.ts";

export type CocoOptions = PlaceOptions;

const MAX_JSON_BYTES = 2 ** 30;

const cocoSchema = z.object({
  images: z.array(z.object({ id: z.int(), file_name: z.string() })),
  annotations: z.array(z.object({ image_id: z.int(), caption: z.string().optional() })),
});

/** The images of a captions file in the order of the file. Keys are the file names. */
export async function cocoSource(
  name: string,
  path: string,
  options: CocoOptions = {},
  signal?: AbortSignal,
): Promise<Source> {
  const { images, annotations } = await readCoco(path, signal);
  const captions = new Map<number, string[]>();
  for (const { image_id, caption } of annotations) {
    const list = captions.get(image_id) ?? [];
    if (caption !== undefined) list.push(caption);
    captions.set(image_id, list);
  }
  const place = imagePlace(path, options);
  const load = async (i: number, abort?: AbortSignal): ReturnType<typeof sampleWithImage> => {
    const { id, file_name: key } = images[i]!;
    const text = captions.get(id) ?? [];
    if (text.some((caption) => caption.includes("\ufffd"))) return { key, reason: "a caption is not valid UTF-8" };
    return sampleWithImage({ key, text, textExpected: true, meta: { image_id: id } }, place, key, abort);
  };
  return {
    name,
    count: images.length,
    samples: (sampling = {}) => indexedSamples(name, images.length, sampling, load),
  };
}

async function readCoco(path: string, signal: AbortSignal | undefined): Promise<z.infer<typeof cocoSchema>> {
  const bytes = await readBytes(path, MAX_JSON_BYTES, { signal });
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes) ?? new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new DataError(`${path}: expected JSON: ${(cause as Error).message}`, undefined, { cause });
  }
  const parsed = cocoSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DataError(
    `${path}: expected COCO captions with images[id, file_name] and annotations[image_id, caption]`,
    z.prettifyError(parsed.error).split("\n").slice(0, 4).join(" "),
    { cause: parsed.error },
  );
}
