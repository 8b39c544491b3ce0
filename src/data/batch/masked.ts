/** From what a recipe says of masks and crops to what batches are built by: in training, evaluation and pictures alike. */
import { maxMaskTargets } from "../../text/index.ts";
import type { ImageBuild, TextBuild } from "./types.ts";

/** A random crop, resized to the model's side. */
export interface Augmentation {
  /** Range of the crop's share of the image's area. */
  readonly scale: readonly [number, number];
  /** Range of the crop's width over its height. */
  readonly ratio: readonly [number, number];
  /** Probability of a mirrored image. */
  readonly flip: number;
}

/** Block-wise masking of patches (BEiT, arXiv:2106.08254 §2.3). */
export interface PatchMasking {
  readonly patches: number;
  readonly minBlock: number;
  /** null: `patches`. */
  readonly maxBlock: number | null;
  /** Smallest height over width of a block; the largest is its inverse. */
  readonly minAspect: number;
}

/** BERT's masking of tokens (arXiv:1810.04805 §3.1). */
export interface TokenMasking {
  readonly probability: number;
  readonly maskShare: number;
  readonly randomShare: number;
  readonly wholeWord: boolean;
}

/** Sides of the pictures that a model takes, and its patches along a side. */
interface PictureSizes {
  readonly size: number;
  readonly codebookSize: number;
  readonly grid: number;
}

/** Both branches of a picture, cropped alike (whole without `augmentation`), with a block mask. */
export function maskedImages(
  { size, codebookSize, grid }: PictureSizes,
  { patches, minBlock, maxBlock, minAspect }: PatchMasking,
  augmentation: Augmentation | null,
): ImageBuild & { readonly mask: NonNullable<ImageBuild["mask"]> } {
  return {
    size,
    codebookSize,
    augment: augmentation && augmentOf(augmentation),
    mask: { rows: grid, columns: grid, total: patches, minBlock, maxBlock: maxBlock ?? patches, minAspect },
  };
}

/** Whole pictures, as for evaluation: with a block mask where patches are masked. */
export const wholeImages = (pictures: PictureSizes, masking: PatchMasking | undefined): ImageBuild =>
  masking
    ? maskedImages(pictures, masking, null)
    : { size: pictures.size, codebookSize: pictures.codebookSize, augment: null, mask: null };

export const augmentOf = ({ scale, ratio, flip }: Augmentation): NonNullable<ImageBuild["augment"]> => ({
  crop: { scale, ratio },
  flip,
});

/** A word that is the only one selected may be longer than the budget of whole words. */
const LONGEST_WORD = 4;

/** Texts of T tokens with masked ones. Heads compute Kt rows a text: for whole words no more than their budget. */
export function maskedTexts(
  length: number,
  masking: TokenMasking,
): TextBuild & { readonly mask: NonNullable<TextBuild["mask"]> } {
  const { probability, wholeWord } = masking;
  const most = wholeWord
    ? Math.min(length, Math.max(LONGEST_WORD, Math.round(probability * length)))
    : maxMaskTargets(length, probability);
  return { length, mask: { ...masking, maxTargets: most } };
}
