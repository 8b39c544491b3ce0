/** The batches that pretraining graphs take, one kind for each kind of data (arXiv:2112.04482 §3.3). */
import { input, type Value } from "../../graph/index.ts";
import type { BatchSizes } from "../model.ts";
import { gridSize } from "../vit/index.ts";
import { codebookImageSize, type FlavaConfig } from "./config.ts";

/** The image fields of a batch. */
export interface ImageBatch {
  /** (B, C, S, S). */
  readonly pixel_values: Value;
  /** bool (B, P): true where a patch is masked. Undefined: none is, as for a model without a mask token. */
  readonly bool_masked_pos: Value | undefined;
  /** int32 (B, Kp): indices of masked patches, padded with 0. */
  readonly mim_positions: Value;
  /** bool (B, Kp): false in the padding of `mim_positions`. */
  readonly mim_position_mask: Value;
  /** (B, C, S', S') in [0.1, 0.9]. */
  readonly codebook_pixel_values?: Value | undefined;
  /** int32 (B, P): visual words, where no codebook runs. */
  readonly mim_labels?: Value | undefined;
}

/** The text fields of a batch, all int32. */
export interface TextBatch {
  /** (B, T), unmasked. */
  readonly input_ids: Value;
  /** (B, T), with masked tokens replaced. */
  readonly input_ids_masked: Value;
  /** (B, T), 1 where a token counts. */
  readonly attention_mask?: Value | undefined;
  /** (B, Kt): indices of masked tokens, padded with 0. */
  readonly mlm_positions: Value;
  /** (B, Kt): their words, padded with −100. */
  readonly mlm_targets: Value;
}

/** Image, text, and whether they belong together: int32 (B), 1 for a matched pair. */
export interface PairBatch extends ImageBatch, TextBatch {
  readonly itm_labels?: Value | undefined;
}

/** Graph inputs of an image batch, named as the fields of data batches are. */
export function imageBatch(config: FlavaConfig, sizes: BatchSizes): ImageBatch {
  const { batch: B, maskedPatches: K } = sizes;
  const { channels, imageSize: S } = config.image;
  const P = gridSize(config.image) ** 2;
  const side = codebookImageSize(config);
  const given = sizes.mimTargets === "given" || config.codebook === null;
  return {
    pixel_values: input("pixel_values", [B, channels, S, S]),
    bool_masked_pos: input("bool_masked_pos", [B, P], "bool"),
    mim_positions: input("mim_positions", [B, K], "int32"),
    mim_position_mask: input("mim_position_mask", [B, K], "bool"),
    codebook_pixel_values: given
      ? undefined
      : input("codebook_pixel_values", [B, config.codebook.channels, side, side]),
    mim_labels: given ? input("mim_labels", [B, P], "int32") : undefined,
  };
}

/** Graph inputs of a text batch. */
export function textBatch(sizes: BatchSizes): TextBatch {
  const { batch: B, textLength: T, maskedTokens: K, attentionMask = true } = sizes;
  return {
    input_ids: input("input_ids", [B, T], "int32"),
    input_ids_masked: input("input_ids_masked", [B, T], "int32"),
    attention_mask: attentionMask ? input("attention_mask", [B, T], "int32") : undefined,
    mlm_positions: input("mlm_positions", [B, K], "int32"),
    mlm_targets: input("mlm_targets", [B, K], "int32"),
  };
}

/** Graph inputs of a batch of pairs. */
export function pairBatch(config: FlavaConfig, sizes: BatchSizes): PairBatch {
  return {
    ...imageBatch(config, sizes),
    ...textBatch(sizes),
    itm_labels: (sizes.itmLabels ?? true) ? input("itm_labels", [sizes.batch], "int32") : undefined,
  };
}
