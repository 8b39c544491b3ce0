/** Records that name their image by path or URL: CSV and JSONL rows, COCO entries, parquet rows without bytes. */
import { FileError } from "../../errors.ts";
import { readBytes, resolveLocation } from "../../io/index.ts";
import { type RawFields, toSample } from "./fields.ts";
import type { Bad } from "./files.ts";
import type { Sample } from "./source.ts";

const MAX_IMAGE_BYTES = 1 << 28;

/** The bytes of an image file, or the reason why there are none (a string). */
export async function loadImage(
  root: string,
  location: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | string> {
  try {
    return await readBytes(resolveLocation(root, location), MAX_IMAGE_BYTES, { signal });
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return error.message.split("\n")[0]!;
  }
}

/** The sample of a record whose image, if it has one, lies at `location` as seen from `root`. */
export async function sampleWithImage(
  fields: Omit<RawFields, "image">,
  root: string,
  location: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Sample | Bad> {
  if (location === undefined) return toSample(fields);
  const image = await loadImage(root, location, signal);
  return typeof image === "string" ? { key: fields.key, reason: image } : toSample({ ...fields, image });
}
