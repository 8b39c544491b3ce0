/** A folder of images, one sub-folder a class, as timm and torchvision read them, or with a text file beside each. */
import { join } from "node:path";
import { ConfigError, DataError, FileError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { readBytes } from "../../io/index.ts";
import { INVALID_UTF8, toSample } from "./fields.ts";
import type { Bad } from "./files.ts";
import { type Fingerprint, filesFingerprint } from "./fingerprint.ts";
import { indexedSamples } from "./indexed.ts";
import { type FolderListing, listFolder, type Picture } from "./listing.ts";
import { readImage } from "./record.ts";
import type { Reading, Sample, SampleOptions, Source } from "./source.ts";

export interface FolderOptions {
  /**
   * files (default): the text file of the same name, `a.txt` or `a.caption` beside `a.png`, where there is one. class: the
   * class name, with _ and - as spaces. none: pictures only.
   */
  readonly captions?: "files" | "class" | "none" | undefined;
}

const MAX_CAPTION_BYTES = 1 << 20;
const SPLIT = /^(train|training|val|valid|validation|dev|test|testing|eval)$/i;

/**
 * Every image below a folder. `label` and `meta.class` are the name of its first-level folder: names mean the same in every
 * set, numbers would not where a set lacks a class. What is skipped is reported once per pass.
 */
export async function folderSource(name: string, path: string, options: FolderOptions = {}): Promise<Source> {
  const { pictures, passed } = await listPictures(path);
  const load = (i: number, reading: Reading): Promise<Sample | Bad> =>
    loadPicture(path, pictures[i]!, options.captions ?? "files", reading);
  async function* samples(sampling: SampleOptions = {}): ReturnType<typeof indexedSamples> {
    if ((sampling.shard?.index ?? 0) === 0)
      for (const { path: key, reason } of passed) sampling.onBad?.({ source: name, key, reason, kept: true });
    yield* indexedSamples(name, pictures.length, sampling, load);
  }
  const fingerprint = (): Promise<Fingerprint> =>
    filesFingerprint(
      pictures.flatMap((picture) => [picture.path, picture.caption ?? []].flat()).map((file) => join(path, file)),
    );
  return { name, count: pictures.length, fingerprint, samples };
}

/** The pictures of a folder. Throws DataError where there is none, ConfigError where its folders are splits and no classes. */
async function listPictures(path: string): Promise<FolderListing> {
  const listing = await listFolder(path);
  if (listing.pictures.length === 0)
    throw new DataError(
      `${path}: expected images below this folder, found none`,
      "jpg, png, webp, gif, tiff, svg, avif, bmp, ppm",
    );
  refuseSplits(
    path,
    listing.pictures.map((picture) => picture.path),
  );
  return listing;
}

/** Throws ConfigError where files lie in `train`, `test` and the like and nowhere else: read as one they would mix. */
export function refuseSplits(path: string, files: readonly string[]): void {
  const folders = [...new Set(files.map((file) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "")))];
  if (folders.length > 1 && folders.every((folder) => SPLIT.test(folder)))
    throw new ConfigError(
      `${path}: expected one set, got a folder with the splits ${folders.join(", ")}`,
      `name one of them, as in ${path.replace(/\/$/, "")}/${folders[0]}`,
    );
}

async function loadPicture(
  root: string,
  { path: key, caption }: Picture,
  captions: NonNullable<FolderOptions["captions"]>,
  reading: Reading,
): Promise<Sample | Bad> {
  const image = await readImage(join(root, key), reading);
  if (typeof image === "string") return { key, reason: image };
  const slash = key.indexOf("/");
  const folder = slash < 0 ? undefined : key.slice(0, slash);
  let text: string | typeof INVALID_UTF8 | undefined;
  if (captions === "class") text = folder?.replace(/[_-]+/g, " ");
  else if (captions === "files" && caption !== undefined) {
    try {
      text = decodeUtf8(await readBytes(join(root, caption), MAX_CAPTION_BYTES, reading)) ?? INVALID_UTF8;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return { key, reason: error.message.split("\n")[0]! };
    }
  }
  return toSample({ key, image, text, label: folder, meta: folder === undefined ? {} : { class: folder } });
}
