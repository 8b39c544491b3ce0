/** What the models that read regions of a detector share: their inputs, and what they answer. */
import { concat, input, logSoftmax, reshape, slice, sub, type Value } from "../graph/index.ts";
import { maskedTargets, Params, tokensAt } from "../nn/index.ts";
import { type BatchSizes, type MaskedPrediction, type Model, modelGraph, type RegionSizes } from "./model.ts";

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

/** What such a model makes of a batch. */
export interface RegionOutputs {
  /** (B, T, D) and (B, R, D). */
  readonly text: Value;
  readonly regions: Value;
  /** (B, D'). */
  readonly pooled: Value;
  /** Classes (B, C) of the pair, of which `matched` means that both belong together; the first unless said. */
  readonly classes: Value;
  readonly matched?: number | undefined;
  /** The word at each row of states: (R, D) → (R, V). */
  words(rows: Value): Value;
  /** Results that only this model has. */
  readonly more?: Readonly<Record<string, Value>> | undefined;
}

/** The graphs of a model by what it makes of its inputs; `p` is the root. */
export function regionGraphs<I extends RegionBatch>(
  family: string,
  inputs: (sizes: RegionBatchSizes) => I,
  outputs: (p: Params, inputs: I) => RegionOutputs,
): Pick<Model, "regionPair" | "masked"> {
  return {
    regionPair(sizes) {
      const p = new Params();
      const { text, regions, pooled, classes, matched, words, more } = outputs(p, inputs(sizes));
      return modelGraph(`${family}.regions`, p, {
        text_embeddings: text,
        region_embeddings: regions,
        pooler_output: pooled,
        itm_logits: matchingLogits(classes, matched),
        mmm_text_logits: wordLogitsOf(text, words),
        ...more,
      });
    },
    masked: {
      pair(p, { regions = 1, ...sizes }) {
        const { batch, textLength } = sizes;
        const input_ids = input("input_ids_masked", [batch, textLength], "int32");
        const { text, words } = outputs(p, { ...inputs({ batch, textLength, regions }), input_ids });
        return { text: maskedWordsAt(text, sizes, words) };
      },
    },
  };
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
function wordLogitsOf(states: Value, head: (rows: Value) => Value): Value {
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
