/** What the models that read regions of a detector share: their inputs, and what they answer. */
import { concat, input, logSoftmax, reshape, slice, sub, type Value } from "../graph/index.ts";
import { maskedTargets, tokensAt } from "../nn/index.ts";
import type { BatchSizes, MaskedPrediction, Model, RegionSizes } from "./model.ts";

/** The fields of a batch that every such model reads. */
export interface RegionBatch {
  /** int32 (B, T). */
  readonly input_ids: Value;
  /** int32 (B, T), 1 where a token counts. */
  readonly attention_mask: Value;
  /** (B, R, F). */
  readonly region_features: Value;
  /** (B, R, numbers of a box). */
  readonly region_boxes: Value;
  /** int32 (B, R), 1 where a region counts. */
  readonly region_mask: Value;
}

/** Sizes of a batch; `regions` counts the mean where it comes first. */
export interface RegionBatchSizes {
  readonly batch: number;
  readonly textLength: number;
  readonly regions: number;
}

/** Inputs with the names that batches have. */
export function regionBatch(
  { features, box }: Pick<RegionSizes, "features" | "box">,
  { batch, textLength, regions }: RegionBatchSizes,
): RegionBatch {
  const ids = (name: string): Value => input(name, [batch, textLength], "int32");
  return {
    input_ids: ids("input_ids"),
    attention_mask: ids("attention_mask"),
    region_features: input("region_features", [batch, regions, features]),
    region_boxes: input("region_boxes", [batch, regions, box]),
    region_mask: input("region_mask", [batch, regions], "int32"),
  };
}

/** Classes (B, C) of which `matched` means that text and regions belong together → logits (B, 2) with class 1 "matched". */
export function matchingLogits(classes: Value, matched = 0): Value {
  const { C } = classes.dims("B C");
  const own = slice(classes, 1, matched, matched + 1);
  const others = concat([slice(classes, 1, 0, matched), slice(classes, 1, matched + 1, C)], 1);
  // ln Σ e^logit of the others; of one it is the logit.
  const no = C === 2 ? others : sub(slice(others, 1, 0, 1), slice(logSoftmax(others), 1, 0, 1));
  return concat([no, own], 1);
}

/** The words at masked places of text states (B, T, D), by a head on rows (R, D). */
export function maskedWordsAt(
  states: Value,
  { batch, maskedTokens: K }: Pick<BatchSizes, "batch" | "maskedTokens">,
  head: (rows: Value) => Value,
): MaskedPrediction {
  const [positions, targets] = ["mlm_positions", "mlm_targets"].map((name) => input(name, [batch, K], "int32"));
  const logits = head(tokensAt(states, positions!, 0));
  return { logits, ...maskedTargets(targets!, logits) };
}

/** Words of all tokens: states (B, T, D), by a head on rows → (B, T, V). */
export function wordLogitsOf(states: Value, head: (rows: Value) => Value): Value {
  const { B, T, D } = states.dims("B T D");
  const logits = head(reshape(states, [B * T, D]));
  return reshape(logits, [B, T, logits.shape[1]!]);
}

/** Why a picture by itself gives nothing. */
export const detectorLacks = (who: string): NonNullable<Model["lacks"]> => {
  const detector = `${who} what a detector saw in a picture (features and boxes), not the picture, and the detector is no part of it`;
  const space = ["image_embeds", "image_features", "text_embeds", "text_features"];
  return {
    ...Object.fromEntries(space.map((name) => [name, `there is no contrastive space; ${detector}`])),
    itm_logits: detector,
    logits: detector,
    multimodal_embeddings: detector,
  };
};
