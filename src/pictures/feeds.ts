/** Batches of a few chosen samples, masked as their stage masks, with whole pictures in place of random crops. */

import type { EvaluationContext } from "../api/context.ts";
import type { ImageBuild, TextBuild } from "../data/index.ts";
import { builtFeeds, type Pair } from "../evaluators/pair-set.ts";
import type { BatchSizes, FlavaConfig } from "../models/flava/index.ts";
import type { Augmentation, JointStage, PatchMasking, TokenMasking } from "../pretrain/recipe/index.ts";
import { maskedImages, maskedTexts } from "../pretrain/stages/masking.ts";
import type { Tensor } from "../tensor/index.ts";

/** A batch and the sizes of the graph that takes it. */
export interface Fed {
  readonly sizes: BatchSizes;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Pictures with block masks. */
export async function imageFeeds(
  context: EvaluationContext,
  { masking, augmentation }: { readonly masking: PatchMasking; readonly augmentation: Augmentation },
  pairs: readonly Pair[],
): Promise<Fed> {
  const image = wholeImages(context.model, masking, augmentation);
  const sizes = { batch: pairs.length, textLength: 0, maskedPatches: masking.patches, maskedTokens: 0 };
  return { sizes, feeds: await builtFeeds({ kind: "image", image }, drawn(context), pairs) };
}

/** Texts with hidden tokens, cut and padded to `length`. */
export async function textFeeds(
  context: EvaluationContext,
  masking: TokenMasking,
  length: number,
  texts: readonly string[],
): Promise<Fed> {
  const text = hiddenTexts(length, masking);
  const sizes = { batch: texts.length, textLength: length, maskedPatches: 0, maskedTokens: text.mask.maxTargets };
  const samples = texts.map((one, i) => ({ key: `text ${i}`, text: one }));
  return { sizes, feeds: await builtFeeds({ kind: "text", text }, drawn(context), samples) };
}

/** Pairs with both masks. */
export async function pairFeeds(context: EvaluationContext, stage: JointStage, pairs: readonly Pair[]): Promise<Fed> {
  const image = wholeImages(context.model, stage.imageMasking, stage.augmentation);
  const text = hiddenTexts(stage.textLength.pairs, stage.pairMasking);
  const sizes = {
    batch: pairs.length,
    textLength: text.length,
    maskedPatches: stage.imageMasking.patches,
    maskedTokens: text.mask.maxTargets,
    itmLabels: false,
  };
  const samples = pairs.map(({ key, image: bytes, caption }) => ({ key, image: bytes, text: caption }));
  return { sizes, feeds: await builtFeeds({ kind: "pair", image, text }, drawn(context), samples) };
}

const drawn = ({ tokenizer, signal, recipe }: EvaluationContext) => ({ tokenizer, signal, seed: recipe.seed });

const wholeImages = (model: FlavaConfig, masking: PatchMasking, augmentation: Augmentation): ImageBuild => ({
  ...maskedImages(model, masking, augmentation),
  augment: null,
});

/** Tokens chosen as in training, but every chosen one is hidden: none is left to be read, none replaced by another. */
const hiddenTexts = (length: number, masking: TokenMasking): TextBuild & { mask: { maxTargets: number } } =>
  maskedTexts(length, { ...masking, maskShare: 1, randomShare: 0 });
