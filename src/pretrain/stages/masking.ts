/** From the masking and augmentation of a recipe to what batches are built by. */
import type { ImageBuild, TextBuild } from "../../data/index.ts";
import { codebookImageSize, type FlavaConfig, gridSize } from "../../models/flava/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { maxMaskTargets } from "../../text/index.ts";
import type { Feeds } from "../../train/stage.ts";
import type { Augmentation, PatchMasking, TokenMasking } from "../recipe/types.ts";

/** Both branches of an image, cropped alike, with a block mask. */
export function maskedImages(model: FlavaConfig, masking: PatchMasking, augmentation: Augmentation): ImageBuild {
  const grid = gridSize(model.image);
  const { patches, minBlock, maxBlock, minAspect } = masking;
  return {
    size: model.image.imageSize,
    codebookSize: codebookImageSize(model),
    augment: augment(augmentation),
    mask: { rows: grid, columns: grid, total: patches, minBlock, maxBlock: maxBlock ?? patches, minAspect },
  };
}

export const augment = ({ scale, ratio, flip }: Augmentation): NonNullable<ImageBuild["augment"]> => ({
  crop: { scale, ratio },
  flip,
});

/** A word that is the only one selected may be longer than the budget of whole words. */
const LONGEST_WORD = 4;

/** Texts of T tokens with masked ones. Heads compute Kt rows a text: for whole words no more than their budget. */
export function maskedTexts(length: number, masking: TokenMasking): TextBuild & { mask: { maxTargets: number } } {
  const { probability, wholeWord } = masking;
  const most = wholeWord
    ? Math.min(length, Math.max(LONGEST_WORD, Math.round(probability * length)))
    : maxMaskTargets(length, probability);
  return { length, mask: { ...masking, maxTargets: most } };
}

const count = (t: Tensor | undefined, isTarget: (x: number) => boolean): number =>
  t ? (t.data as Int32Array).reduce((n, x) => n + (isTarget(x) ? 1 : 0), 0) : 0;

/** Masked patches of a batch. */
export const patchTargets = (feeds: Feeds): number => count(feeds.mim_position_mask, (x) => x !== 0);

/** Masked tokens of a batch. */
export const tokenTargets = (feeds: Feeds): number => count(feeds.mlm_targets, (x) => x >= 0);
