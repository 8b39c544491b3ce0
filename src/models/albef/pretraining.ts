/** ALBEF's masked words beside a picture (arXiv:2107.07651 §3.2); what it learns of pairs is in the stage. */
import { input, type Value } from "../../graph/index.ts";
import { maskedTargets, type Params, tokensAt } from "../../nn/index.ts";
import { type TextBatch, textBatch } from "../flava/batch.ts";
import type { BatchSizes, MaskedPrediction } from "../model.ts";
import type { AlbefConfig } from "./config.ts";
import { albefFuse, albefImage, albefText, albefWords, type Whose } from "./model.ts";

/** A batch of pairs, named as the fields of data batches are. */
export interface AlbefBatch extends TextBatch {
  /** (B, C, S, S). */
  readonly pixel_values: Value;
}

/** Graph inputs of a batch. */
export function albefBatch({ image }: AlbefConfig, sizes: BatchSizes): AlbefBatch {
  const { channels, imageSize: S } = image;
  return { ...textBatch(sizes), pixel_values: input("pixel_values", [sizes.batch, channels, S, S]) };
}

/** Logits of the words at masked places, beside the picture's states (B, N, D). `p` is the root. */
export function albefMasked(
  p: Params,
  config: AlbefConfig,
  { input_ids_masked: ids, attention_mask: mask, mlm_positions }: TextBatch,
  image: Value,
  whose: Whose = "own",
): Value {
  const text = albefText(p, config, ids, { mask, whose });
  const states = albefFuse(p, config, { text, image }, { mask, whose });
  return albefWords(p, config, tokensAt(states, mlm_positions, 0), whose);
}

/** Masked words of a batch that the evaluators feed. `p` is the root. */
export function albefMaskedPairs(p: Params, config: AlbefConfig, sizes: BatchSizes): MaskedPrediction {
  const batch = albefBatch(config, sizes);
  const logits = albefMasked(p, config, batch, albefImage(p, config, batch.pixel_values));
  return { logits, ...maskedTargets(batch.mlm_targets, logits) };
}

/** The parts that have an average, and its names. */
const MOMENTUM: readonly (readonly [own: string, momentum: string])[] = [
  ["visual_encoder.", "visual_encoder_m."],
  ["vision_proj.", "vision_proj_m."],
  ["text_encoder.", "text_encoder_m."],
  ["text_proj.", "text_proj_m."],
];

/** The average of a parameter by its name; undefined for one that has none: the temperature and the head of matching. */
export function albefMomentumName(parameter: string): string | undefined {
  const found = MOMENTUM.find(([own]) => parameter.startsWith(own));
  return found && `${found[1]}${parameter.slice(found[0].length)}`;
}

/** The parameter that an average is of; undefined for what is none. */
export function albefOwnName(average: string): string | undefined {
  const found = MOMENTUM.find(([, momentum]) => average.startsWith(momentum));
  return found && `${found[0]}${average.slice(found[1].length)}`;
}
