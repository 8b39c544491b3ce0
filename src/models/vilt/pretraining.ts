/** ViLT for pretraining: two passes over a batch of pairs, up to logits and targets (dandelin/ViLT, objectives.py). */
import { cast, constant, equal, gather, input, reshape, slice, sum, type Value, where } from "../../graph/index.ts";
import { maskedTargets, type Params, tokensAt } from "../../nn/index.ts";
import { fromNumbers } from "../../tensor/index.ts";
import { type TextBatch, textBatch } from "../flava/batch.ts";
import type { BatchSizes, MaskedPrediction } from "../model.ts";
import type { ViltConfig } from "./config.ts";
import { type ViltTokens, viltFuse, viltImage, viltMatching, viltText, viltWords } from "./model.ts";

/** A batch of pairs, named as the fields of data batches are. */
export interface ViltBatch extends TextBatch {
  /** (B, C, H, W). */
  readonly pixel_values: Value;
  /** int32 (B, 2): rows and columns of patches of each picture; undefined: each fills the canvas. */
  readonly image_grid?: Value | undefined;
}

/** Graph inputs of a batch. */
export function viltBatch({ image }: ViltConfig, sizes: BatchSizes): ViltBatch {
  const { channels, imageSize: S } = image;
  return { ...textBatch(sizes), pixel_values: input("pixel_values", [sizes.batch, channels, S, S]) };
}

/** Masked words beside their own picture. `p` is the root. */
export function viltMasked(
  p: Params,
  config: ViltConfig,
  batch: TextBatch,
  image: ViltTokens,
): MaskedPrediction & { readonly hidden_states: readonly Value[] } {
  const text = viltText(p, config, batch.input_ids_masked, batch.attention_mask);
  const { last_hidden_state, hidden_states } = viltFuse(p, config, text, image);
  const logits = viltWords(p, config, tokensAt(last_hidden_state, batch.mlm_positions, 0));
  return { logits, ...maskedTargets(batch.mlm_targets, logits), hidden_states };
}

/** Whole texts with pictures, of which some are others': what matching and alignment read. */
export interface ViltMatching {
  /** (B, 2), class 1 "matched". */
  readonly logits: Value;
  /** (B, T, D) and (B, P, D): states of the text and of the patches. */
  readonly text: Value;
  readonly patches: Value;
  readonly hidden_states: readonly Value[];
}

/** The pass on whole texts. `p` is the root. */
export function viltMatched(p: Params, config: ViltConfig, text: ViltTokens, image: ViltTokens): ViltMatching {
  const { last_hidden_state, pooler_output, hidden_states } = viltFuse(p, config, text, image);
  const T = text.tokens.shape[1]!;
  return {
    logits: viltMatching(p, config, pooler_output),
    text: slice(last_hidden_state, 1, 0, T),
    patches: slice(last_hidden_state, 1, T + 1),
    hidden_states,
  };
}

/** Which picture each text gets. */
export interface Shuffled {
  /** int (B): its number in the batch. */
  readonly picture: Value;
  /** int (B): 1 where it is the text's own, or belongs to the same words. */
  readonly matched: Value;
}

/**
 * Texts keep their picture where `kept` int (B) is 1; the others get their neighbour's: samples 0 and 1 exchange, 2 and 3, and so on. Samples
 * stand in a batch by chance, so a neighbour is any other sample, and it is in the same part of a batch that is cut at an even number.
 * A picture whose caption has the same tokens still matches.
 */
export function shuffledPictures(ids: Value, kept: Value): Shuffled {
  const { B } = ids.dims("B T");
  const own = Array.from({ length: B }, (_, i) => i);
  const neighbour = own.map((i) => ((i ^ 1) < B ? i ^ 1 : Math.max(0, i - 1)));
  const keeps = equal(kept, 1);
  const numbers = (of: readonly number[]): Value => constant(fromNumbers(of, [B], "int32"));
  const picture = where(keeps, numbers(own), numbers(neighbour));
  return { picture, matched: where(keeps, 1, sameText(ids, gather(ids, picture))) };
}

/** int (B): 1 where two rows of ids (B, T) are the same. */
export function sameText(a: Value, b: Value): Value {
  const { T } = a.dims("B T");
  return cast(equal(sum(cast(equal(a, b), "float32"), [1]), T), "int32");
}

/** Embedded pictures in another order. */
export function picturesAt({ tokens, keep }: ViltTokens, order: Value): ViltTokens {
  const { B, N, D } = tokens.dims("B N D");
  const rows = gather(reshape(tokens, [B, N * D]), order);
  return { tokens: reshape(rows, [B, N, D]), keep: keep && gather(keep, order) };
}

/** Masked words of a batch that the evaluators feed. `p` is the root. */
export function viltMaskedPairs(p: Params, config: ViltConfig, sizes: BatchSizes): MaskedPrediction {
  const batch = viltBatch(config, sizes);
  return viltMasked(p, config, batch, viltImage(p, config, batch.pixel_values));
}
