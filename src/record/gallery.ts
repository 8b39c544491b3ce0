/**
 * The pictures of a report: `gallery/<section>.json` in a run folder, with image files beside it. This file is the contract
 * between the stages, which write them, and the report, which shows them.
 */
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { z } from "zod";
import { DataError } from "../errors.ts";
import { makeFolder, namesIn, readJson, saveJson, systemReason } from "../io/index.ts";
import { type GallerySection, imagesOf, parseSection } from "./forms.ts";

/** The gallery's folder in a run's. */
export const GALLERY_FOLDER = "gallery";

/** Writes `gallery/<name>.json`. Throws DataError for a section that the report could not show. */
export async function saveGallerySection(runDir: string, name: string, section: GallerySection): Promise<void> {
  const path = join(runDir, GALLERY_FOLDER, `${name}.json`);
  check(path, section);
  await makeFolder(join(runDir, GALLERY_FOLDER));
  await saveJson(path, section, 1);
}

function check(path: string, value: unknown): GallerySection {
  try {
    return parseSection(value);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw new DataError(`${path}: expected a section of the report\n${z.prettifyError(error)}`);
  }
}

/** A section, and its images as data URIs by file name. */
export interface LoadedSection {
  /** The file's name without `.json`. */
  readonly name: string;
  readonly section: GallerySection;
  readonly images: ReadonlyMap<string, string>;
}

const MAX_IMAGE_BYTES = 4 << 20;
const TYPES: Readonly<Record<string, string>> = { ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp" };

/** All sections of a run folder, by file name; none if it has no gallery. Throws DataError for a file that is damaged. */
export async function loadGallery(runDir: string): Promise<LoadedSection[]> {
  const folder = join(runDir, GALLERY_FOLDER);
  const names = (await namesIn(folder)).filter((name) => name.endsWith(".json")).sort();
  const sections: LoadedSection[] = [];
  for (const name of names) {
    const section = check(join(folder, name), await readJson(join(folder, name)));
    const images = new Map<string, string>();
    for (const file of imagesOf(section)) if (!images.has(file)) images.set(file, await dataUri(join(folder, file)));
    sections.push({ name: name.slice(0, -".json".length), section, images });
  }
  return sections;
}

async function dataUri(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: expected an image of the report, got ${systemReason(cause)}`, undefined, { cause });
  });
  if (bytes.length > MAX_IMAGE_BYTES)
    throw new DataError(`${path}: expected an image of at most ${MAX_IMAGE_BYTES} bytes, got ${bytes.length}`);
  return `data:image/${TYPES[extname(path)]};base64,${bytes.toString("base64")}`;
}
