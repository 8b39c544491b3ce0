/**
 * Oscar+ (VinVL, arXiv:2101.00529): a BERT on a caption with object tags and the regions of a detector, which lies outside the model.
 * Parameter names are those of Oscar's checkpoints.
 */
import { concat, tanh, type Value } from "../../graph/index.ts";
import {
  bertEmbeddings,
  bertLayer,
  layerNorm,
  linear,
  maskedPredictionHead,
  normal,
  type Params,
  paddingMask,
  type Taps,
  token,
} from "../../nn/index.ts";
import type { RegionBatch } from "../regions.ts";
import type { VinvlConfig } from "./config.ts";

/** Numbers of a box beside each feature: left, top, right, bottom, width and height as shares of the picture. */
export const BOX_NUMBERS = 6 as const;

/** A batch of captions with tags ([CLS] caption [SEP] tags [SEP]), and regions. */
export interface VinvlInputs extends RegionBatch {
  /** int (B, T): 0 for the caption, 1 for the tags. */
  readonly token_type_ids: Value;
}

export interface VinvlOutputs {
  /** The embeddings, then the result of each layer, (B, T + R, D), text first. */
  readonly hidden_states: readonly Value[];
  /** tanh(dense([CLS])), (B, D). */
  readonly pooler_output: Value;
}

/** What hides a key. */
const DROP = -10_000;

/** Text and regions as one sequence. `p` is the root. */
export function vinvl(p: Params, config: VinvlConfig, inputs: VinvlInputs, out?: Taps): VinvlOutputs {
  const bert = initialised(p, config).at("bert");
  return bert.scope(() => {
    const { hiddenSize: D, layerNormEps: eps, layers, text } = config;
    const { input_ids, token_type_ids, region_features, region_boxes } = inputs;
    const sizes = { hiddenSize: D, layerNormEps: eps, typeVocabSize: 2, ...text };
    const words = bertEmbeddings(bert.at("embeddings"), sizes, input_ids, { token_type_ids }); // (B, T, D)
    const seen = linear(bert.at("img_embedding"), concat([region_features, region_boxes], 2), D); // (B, R, D)
    const regions = config.regions.layerNorm
      ? layerNorm(bert.at("LayerNorm"), seen, config.regions.layerNormEps)
      : seen;
    const states = [concat([words, regions], 1)]; // (B, T + R, D)
    const mask = concat(
      [paddingMask(inputs.attention_mask, words, DROP), paddingMask(inputs.region_mask, words, DROP)],
      3,
    );
    for (let i = 0; i < layers; i++)
      states.push(bertLayer(bert.at(`encoder.layer.${i}`), states.at(-1)!, config, { mask, out }));
    const pooler_output = tanh(linear(bert.at("pooler.dense"), token(states.at(-1)!, 0), D));
    return { hidden_states: states, pooler_output };
  });
}

/** The word at each row of states (R, D): logits (R, V), by the word embeddings. `p` is the root. */
export function vinvlWords(p: Params, config: VinvlConfig, rows: Value): Value {
  const own = initialised(p, config);
  const { vocabSize } = config.text;
  const tied = own.at("bert.embeddings.word_embeddings").get("weight", [vocabSize, config.hiddenSize], own.weightInit);
  return maskedPredictionHead(own.at("cls.predictions"), rows, { vocabSize, eps: config.layerNormEps, tied });
}

/** Matched (0), other tags (1), other caption (2): pooled (B, D) → logits (B, classes). `p` is the root. */
export const vinvlClasses = (p: Params, config: VinvlConfig, pooled: Value): Value =>
  linear(initialised(p, config).at("cls.seq_relationship"), pooled, config.classes);

const initialised = (p: Params, { initializerRange }: VinvlConfig): Params => p.withWeights(normal(initializerRange));
