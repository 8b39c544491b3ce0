/** Batches of a few chosen samples, masked as their stage masks. */
import type { BlockMaskOptions } from "../../data/image/index.ts";
import { type MaskOptions, maxMaskTargets } from "../../data/text/index.ts";
import { type BatchSizes, codebookImageSize, type FlavaConfig, gridSize } from "../../models/flava/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { EvaluationContext } from "../evaluate/context.ts";
import { builtFeeds, type Pair } from "../evaluate/pair-set.ts";
import type { JointStage, PatchMasking, TokenMasking } from "../recipe/index.ts";

/** A batch and the sizes of the graph that takes it. */
export interface Fed {
  readonly sizes: BatchSizes;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Whole pictures with block masks. */
export async function imageFeeds(
  context: EvaluationContext,
  masking: PatchMasking,
  pairs: readonly Pair[],
): Promise<Fed> {
  const image = imageBuild(context.model, masking);
  const sizes = { batch: pairs.length, textLength: 1, maskedPatches: masking.patches, maskedTokens: 1 };
  return { sizes, feeds: await builtFeeds({ kind: "image", image }, drawn(context), pairs) };
}

/** Texts with hidden tokens, cut and padded to `length`. */
export async function textFeeds(
  context: EvaluationContext,
  masking: TokenMasking,
  length: number,
  texts: readonly string[],
): Promise<Fed> {
  const text = { length, mask: hidden(masking, length) };
  const sizes = { batch: texts.length, textLength: length, maskedPatches: 1, maskedTokens: text.mask.maxTargets };
  const samples = texts.map((caption, i) => ({ key: `text ${i}`, text: caption }));
  return { sizes, feeds: await builtFeeds({ kind: "text", text }, drawn(context), samples) };
}

/** Pairs with both masks. */
export async function pairFeeds(context: EvaluationContext, stage: JointStage, pairs: readonly Pair[]): Promise<Fed> {
  const length = stage.textLength.pairs;
  const image = imageBuild(context.model, stage.imageMasking);
  const text = { length, mask: hidden(stage.pairMasking, length) };
  const sizes = {
    batch: pairs.length,
    textLength: length,
    maskedPatches: stage.imageMasking.patches,
    maskedTokens: text.mask.maxTargets,
    itmLabels: false,
  };
  const samples = pairs.map(({ key, image, caption }) => ({ key, image, text: caption }));
  return { sizes, feeds: await builtFeeds({ kind: "pair", image, text }, drawn(context), samples) };
}

const drawn = ({ tokenizer, signal, recipe }: EvaluationContext) => ({ tokenizer, signal, seed: recipe.seed });

const imageBuild = (model: FlavaConfig, masking: PatchMasking) => ({
  size: model.image.imageSize,
  codebookSize: codebookImageSize(model),
  augment: null,
  mask: blocks(model, masking),
});

function blocks({ image }: FlavaConfig, { patches, minBlock, maxBlock, minAspect }: PatchMasking): BlockMaskOptions {
  const side = gridSize(image);
  return { rows: side, columns: side, total: patches, minBlock, maxBlock: maxBlock ?? patches, minAspect };
}

/** As the stage chooses tokens, but every chosen one is hidden: none is left to be read, none replaced by another. */
const hidden = (
  { probability, wholeWord }: TokenMasking,
  length: number,
): MaskOptions & { readonly maxTargets: number } => ({
  probability,
  wholeWord,
  maskShare: 1,
  randomShare: 0,
  maxTargets: maxMaskTargets(length, probability),
});
