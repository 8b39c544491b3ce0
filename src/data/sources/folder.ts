/** A folder of images, one sub-folder a class, as timm and torchvision read them. */
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { DataError } from "../../errors.ts";
import { toSample } from "./fields.ts";
import { indexedSamples } from "./indexed.ts";
import { loadImage } from "./record.ts";
import type { Source } from "./source.ts";

export interface FolderOptions {
  /** Give the class name, with _ and - as spaces, as the caption. */
  readonly captions?: "class" | "none" | undefined;
}

const IMAGE_FILE = /\.(jpe?g|png|webp|gif|bmp|tiff?|svg|avif)$/i;

export interface FolderListing {
  /** Paths from the folder, with /, in code point order. */
  readonly files: readonly string[];
  /** First-level folders in code point order: the label is the number of the class here. Empty for a flat folder. */
  readonly classes: readonly string[];
}

/** All images below a folder. Throws DataError if there is none. */
export async function listFolder(path: string): Promise<FolderListing> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw new DataError(`${path}: expected a folder, got ${cause.code}`, undefined, { cause });
    },
  );
  const files = entries
    .filter((entry) => !entry.isDirectory() && IMAGE_FILE.test(entry.name) && !entry.name.startsWith("."))
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort(byCodePoint);
  if (files.length === 0)
    throw new DataError(
      `${path}: expected images below this folder, found none`,
      "jpg, png, webp, gif, bmp, tiff, svg",
    );
  const classes = [
    ...new Set(files.filter((file) => file.includes("/")).map((file) => file.slice(0, file.indexOf("/")))),
  ];
  return { files, classes: classes.sort(byCodePoint) };
}

/** Every image below a folder; the label is the number of its class, `meta.class` the class's name. */
export async function folderSource(name: string, path: string, options: FolderOptions = {}): Promise<Source> {
  const { files, classes } = await listFolder(path);
  const labels = new Map(classes.map((label, i) => [label, i]));
  const load = async (i: number, signal?: AbortSignal): Promise<ReturnType<typeof toSample>> => {
    const key = files[i]!;
    const image = await loadImage(path, key, signal);
    if (typeof image === "string") return { key, reason: image };
    const slash = key.indexOf("/");
    const folder = slash < 0 ? undefined : key.slice(0, slash);
    const text = options.captions === "class" ? folder?.replace(/[_-]+/g, " ") : undefined;
    const label = folder === undefined ? undefined : labels.get(folder);
    return toSample({ key, image, text, label, meta: folder === undefined ? {} : { class: folder } });
  };
  return { name, count: files.length, samples: (sampling = {}) => indexedSamples(name, files.length, sampling, load) };
}

const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
