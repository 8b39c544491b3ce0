/** After a stage: its picture sections, in `gallery/` of the run folder, where the report finds them. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { EvaluationContext } from "../api/context.ts";
import { ConfigError } from "../errors.ts";
import type { JointStage, Stage } from "../pretrain/recipe/index.ts";
import { GALLERY_FOLDER, type GallerySection, saveGallerySection } from "../record/index.ts";
import { attention } from "./attention.ts";
import { reconstructions } from "./codebook.ts";
import { type Drawing, type DrawOptions, openDrawing } from "./drawing.ts";
import { imagePatches, pairPatches } from "./patches.ts";
import { rank } from "./ranking.ts";
import { foundCaptions, foundPictures, mistakes } from "./retrieval.ts";
import { pairWords, textWords } from "./words.ts";

/** Names of sections; the page shows them in this order, the joint stage's before those of the stages that led to it. */
const NAMES = [
  "10-found-captions",
  "20-found-pictures",
  "30-mistakes",
  "40-attention",
  "50-words-in-pairs",
  "55-words",
  "60-patches-in-pairs",
  "65-patches",
  "70-codebook",
] as const;
type Name = (typeof NAMES)[number];
type Named = readonly [Name, GallerySection | undefined];

/** A line for the run's notes where hidden patches cannot be shown. */
const NO_DECODER = "no pictures of hidden patches: the codebook came without its decoder";

/**
 * Writes the sections of a stage, `gallery/<name>-<stage>.json` and their pictures, all of held-out samples that are drawn by
 * lot from the seed. Resolves to a line for each thing that was left out and should not surprise. Files are written whole or
 * not at all, and a section of an earlier call that no longer applies is removed. Throws ConfigError for an unknown stage or
 * no pairs, the engine's errors, CheckpointError where the folder cannot be written.
 */
export async function drawStage(context: EvaluationContext, options: DrawOptions): Promise<string[]> {
  const stage = stageOf(context, options);
  const folder = join(options.runDir, GALLERY_FOLDER);
  await mkdir(folder, { recursive: true });
  const left = new Set<Name>(NAMES);
  for await (const [name, section] of sectionsOf(context, stage, options)) {
    if (!section) continue;
    await saveGallerySection(options.runDir, `${name}-${options.stage}`, section);
    left.delete(name);
  }
  for (const name of left) await rm(join(folder, `${name}-${options.stage}.json`), { force: true });
  return needsDecoder(context, stage) && !options.decoder ? [NO_DECODER] : [];
}

function stageOf({ recipe }: EvaluationContext, { stage: name, pairs }: DrawOptions): Stage {
  const stage = recipe.stages[name];
  if (!stage)
    throw new ConfigError(`drawStage: expected one of ${Object.keys(recipe.stages).join(", ")}, got "${name}"`);
  if (pairs.length === 0) throw new ConfigError("drawStage: expected held-out pairs, got none");
  return stage;
}

async function* sectionsOf(context: EvaluationContext, stage: Stage, options: DrawOptions): AsyncGenerator<Named> {
  switch (stage.kind) {
    case "dvae":
      return yield ["70-codebook", await reconstructions(openDrawing(context, stage, options))];
    case "text-mlm":
      return yield ["55-words", await textWords(openDrawing(context, stage, options))];
    case "image-mim":
      if (options.decoder) yield ["65-patches", await imagePatches(openDrawing(context, stage, options))];
      return;
    case "image-dino":
      return;
    case "joint":
      yield* jointSections(openDrawing(context, stage, options));
  }
}

/** Only what the losses of the stage have trained: an ablation may lack pairs, the multimodal encoder or the contrastive loss. */
async function* jointSections(drawing: Drawing<JointStage>): AsyncGenerator<Named> {
  const { context, stage, pairs } = drawing;
  if (stage.sampling.pairs === 0) return;
  const { globalContrastive, mmmText, mmmImage, itm } = stage.lossWeights;
  if (globalContrastive > 0) {
    const ranking = await rank(context, pairs, stage.textLength.pairs);
    yield ["10-found-captions", await foundCaptions(drawing, ranking)];
    yield ["20-found-pictures", await foundPictures(drawing, ranking)];
    yield ["30-mistakes", await mistakes(drawing, ranking)];
  }
  if (mmmText + mmmImage + itm > 0) yield ["40-attention", await attention(drawing)];
  if (mmmText > 0) yield ["50-words-in-pairs", await pairWords(drawing)];
  if (showsPatches(context, stage) && drawing.decoder) yield ["60-patches-in-pairs", await pairPatches(drawing)];
}

const showsPatches = ({ model }: EvaluationContext, { lossWeights, sampling }: JointStage): boolean =>
  sampling.pairs > 0 && lossWeights.mmmImage > 0 && model.codebook !== null;

const needsDecoder = (context: EvaluationContext, stage: Stage): boolean =>
  stage.kind === "image-mim" || (stage.kind === "joint" && showsPatches(context, stage));
