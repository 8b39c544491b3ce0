/** Batches of a few chosen samples, masked as their stage masks, with whole pictures in place of random crops. */

import { maskedImages, maskedTexts, type PatchMasking, type TokenMasking, wholeImages } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { builtFeeds, type EvaluationContext, type Pair } from "../evaluators/index.ts";
import type { BatchSizes, PictureSizes } from "../models/index.ts";
import type { Feeds } from "../tensor/index.ts";

/** A batch and the sizes of the graph that takes it. */
export interface Fed {
  readonly sizes: BatchSizes;
  readonly feeds: Feeds;
}

/** How a stage masks pairs. */
export interface PairMasks {
  /** Tokens of a caption. */
  readonly textLength: number;
  /** Absent: no patch is masked. */
  readonly imageMasking?: PatchMasking | undefined;
  readonly textMasking: TokenMasking;
}

/** Pictures with block masks. */
export async function maskedPictures(
  context: EvaluationContext,
  masking: PatchMasking,
  pairs: readonly Pair[],
): Promise<Fed> {
  const image = maskedImages(picturesOf(context), masking, null);
  const sizes = { batch: pairs.length, textLength: 0, maskedPatches: masking.patches, maskedTokens: 0 };
  return { sizes, feeds: await builtFeeds({ kind: "image", image }, context, pairs) };
}

/** Texts with hidden tokens, cut and padded to `length`. */
export async function hiddenTexts(
  context: EvaluationContext,
  masking: TokenMasking,
  length: number,
  texts: readonly string[],
): Promise<Fed> {
  const text = maskedTexts(length, hidden(masking));
  const sizes = { batch: texts.length, textLength: length, maskedPatches: 0, maskedTokens: text.mask.maxTargets };
  const samples = texts.map((one, i) => ({ key: `text ${i}`, text: one }));
  return { sizes, feeds: await builtFeeds({ kind: "text", text }, context, samples) };
}

/** Pairs with both masks. */
export async function maskedPairs(context: EvaluationContext, masks: PairMasks, pairs: readonly Pair[]): Promise<Fed> {
  const image = wholeImages(picturesOf(context), masks.imageMasking);
  const text = maskedTexts(masks.textLength, hidden(masks.textMasking));
  const sizes = {
    batch: pairs.length,
    textLength: text.length,
    maskedPatches: image.mask?.total ?? 0,
    maskedTokens: text.mask.maxTargets,
    itmLabels: false,
  };
  const samples = pairs.map(({ key, image: bytes, caption }) => ({ key, image: bytes, text: caption }));
  return { sizes, feeds: await builtFeeds({ kind: "pair", image, text }, context, samples) };
}

/** Tokens chosen as in training, but every chosen one is hidden: none is left to be read, none replaced by another. */
export const hidden = (masking: TokenMasking): TokenMasking => ({ ...masking, maskShare: 1, randomShare: 0 });

/** The picture sizes of the model. Throws ConfigError if it has no image encoder. */
export function picturesOf({ model }: Pick<EvaluationContext, "model">): PictureSizes {
  if (model.pictures) return model.pictures;
  throw new ConfigError(`pictures: expected a model with an image encoder, got ${model.family}`);
}
