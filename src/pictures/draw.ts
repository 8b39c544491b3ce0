/** After a stage: its picture sections, in `gallery/` of the run folder, where the report finds them. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import type { EvaluationContext } from "../evaluators/index.ts";
import { makeFolder } from "../io/index.ts";
import { GALLERY_FOLDER, type GallerySection, saveGallerySection } from "../record/index.ts";
import { type Drawing, type DrawOptions, openDrawing } from "./drawing.ts";

/** Names of sections; the page shows them in this order, the joint stage's before those of earlier stages. */
const SECTIONS = [
  "10-found-captions",
  "20-found-pictures",
  "30-mistakes",
  "40-attention",
  "45-scores",
  "50-words-in-pairs",
  "55-words",
  "57-neighbours",
  "60-patches-in-pairs",
  "65-patches",
  "70-codebook",
] as const;

/** A section of the gallery, without the stage's name. */
export type SectionName = (typeof SECTIONS)[number];

/** A section under its name; undefined where there is nothing to show. */
export type NamedSection = readonly [SectionName, GallerySection | undefined];

/**
 * Writes the sections that `sections` draws, `gallery/<name>-<stage>.json` and their pictures, all of held-out samples that are
 * picked at random by the seed. Files are written whole or not at all, and a section of an earlier call that no longer applies is
 * removed. Throws ConfigError for no pairs, the engine's errors, FileError where the folder cannot be written.
 */
export async function drawSections(
  context: EvaluationContext,
  options: DrawOptions,
  sections: (drawing: Drawing) => AsyncIterable<NamedSection>,
): Promise<void> {
  if (options.pairs.length === 0) throw new ConfigError("drawSections: expected held-out pairs, got none");
  const folder = join(options.runDir, GALLERY_FOLDER);
  await makeFolder(folder);
  const left = new Set<SectionName>(SECTIONS);
  for await (const [name, section] of sections(openDrawing(context, options))) {
    if (!section) continue;
    await saveGallerySection(options.runDir, `${name}-${options.stage}`, section);
    left.delete(name);
  }
  for (const name of left) await rm(join(folder, `${name}-${options.stage}.json`), { force: true });
}
