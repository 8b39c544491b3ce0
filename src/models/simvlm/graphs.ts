/** Whole graphs for using a trained SimVLM. Results have the names that FLAVA's have. */
import {
  cast,
  concat,
  div,
  gather,
  input,
  logSoftmax,
  maximum,
  mean,
  mul,
  pad,
  reshape,
  slice,
  sub,
  sum,
  type Value,
} from "../../graph/index.ts";
import { l2Normalize, Params } from "../../nn/index.ts";
import {
  type ImageGraphSizes,
  type ModelGraph,
  modelGraph,
  type PairGraphSizes,
  type TextGraphSizes,
} from "../model.ts";
import { type SimvlmConfig, tokenSide } from "./config.ts";
import { embeddedWords, type Memory, simvlmDecode, simvlmEncode, simvlmRoot, simvlmWords, wordTable } from "./model.ts";

/**
 * `pixel_values` (B, C, H, W) → `image_embeddings` (B, 1 + P, D): the encoder's states of a picture without words, their mean first,
 * `pooler_output` (B, D): the mean, and `image_mm`: the states without it, for the decoder.
 */
export function simvlmImageGraph(config: SimvlmConfig, sizes: ImageGraphSizes): ModelGraph {
  const p = new Params();
  const { states } = encodedImage(p, config, sizes);
  const pooler_output = mean(states, [1]);
  return modelGraph("simvlm.image", p, { image_embeddings: meanFirst(states), pooler_output, image_mm: states });
}

/**
 * `input_ids` (B, T) and `attention_mask` → `text_embeddings` (B, T, D): the encoder's states of the tokens after the first, the last row
 * being padding's; `pooler_output` (B, D): their mean, and `text_mm` (B, T, D): the ids as the decoder reads them.
 */
export function simvlmTextGraph(config: SimvlmConfig, { batch, textLength }: TextGraphSizes): ModelGraph {
  const p = new Params();
  const { ids, keep } = textInputs(batch, textLength);
  const next = { ids: following(ids), keep: following(keep) };
  const { states } = simvlmEncode(p, config, { text: next });
  const weights = reshape(cast(next.keep, "float32"), [batch, textLength, 1]);
  const pooler_output = div(sum(mul(states, weights), [1]), maximum(sum(weights, [1]), 1));
  const text_mm = embeddedWords(simvlmRoot(p, config), config, "decoder", ids);
  return modelGraph("simvlm.text", p, { text_embeddings: states, pooler_output, text_mm });
}

/**
 * The decoder on a picture and a caption: `image_mm` (B, P, D), `text_mm` (B, T, D), `input_ids` and `attention_mask` (B, T) →
 * `multimodal_embeddings` (B, T, D): its states, each what the next token is told from, and `caption_log_likelihood` (B): the mean of
 * ln P(token | picture, tokens before it) over the tokens after the first.
 */
export function simvlmFusionGraph(config: SimvlmConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const { batch, textLength: T, height = config.image.imageSize, width = config.image.imageSize } = sizes;
  const D = config.hiddenSize;
  const side = tokenSide(config.image);
  const memory = { states: input("image_mm", [batch, (height / side) * (width / side), D]) };
  const { logits: _, ...outputs } = decoded(p, config, memory, input("text_mm", [batch, T, D]), textInputs(batch, T));
  return modelGraph("simvlm.fusion", p, outputs);
}

/** Pictures and their captions: what the fusion graph gives, and `caption_logits` (B, T, V) over the token after each. */
export function simvlmPairGraph(config: SimvlmConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const memory = encodedImage(p, config, sizes);
  const text = textInputs(sizes.batch, sizes.textLength);
  const words = embeddedWords(simvlmRoot(p, config), config, "decoder", text.ids);
  const { logits, ...found } = decoded(p, config, memory, words, text);
  return modelGraph("simvlm.pair", p, {
    image_embeddings: meanFirst(memory.states),
    text_embeddings: words,
    caption_logits: reshape(logits, [sizes.batch, sizes.textLength, config.text.vocabSize]),
    ...found,
  });
}

/** `pixel_values` → `features` (B, D), of length 1: the mean of the encoder's states. */
export function simvlmFeatures(config: SimvlmConfig, batch: number, scope = ""): ModelGraph {
  const root = new Params();
  const { states } = encodedImage(scope === "" ? root : root.at(scope), config, { batch });
  return modelGraph("simvlm.features", root, { features: l2Normalize(mean(states, [1])) });
}

/** What stands for the picture comes first, as CLS does elsewhere: (B, P, D) → (B, 1 + P, D). */
const meanFirst = (states: Value): Value => concat([mean(states, [1], { keep: true }), states], 1);

function encodedImage(p: Params, config: SimvlmConfig, sizes: ImageGraphSizes): Memory {
  const { imageSize: side, channels } = config.image;
  const { batch, height = side, width = side, interpolate } = sizes;
  const pixels = input("pixel_values", [batch, channels, height, width]);
  return simvlmEncode(p, config, { pixels }, { interpolate });
}

function textInputs(batch: number, length: number): { readonly ids: Value; readonly keep: Value } {
  return {
    ids: input("input_ids", [batch, length], "int32"),
    keep: input("attention_mask", [batch, length], "int32"),
  };
}

/** What follows each token: (B, T) → (B, T), 0 at the end. */
const following = (x: Value): Value => slice(pad(x, [0, 0], [0, 1]), 1, 1);

function decoded(
  p: Params,
  config: SimvlmConfig,
  memory: Memory,
  words: Value,
  { ids, keep }: { readonly ids: Value; readonly keep: Value },
): Record<"logits" | "multimodal_embeddings" | "caption_log_likelihood", Value> {
  const [B, T, D] = words.shape as [number, number, number];
  const states = simvlmDecode(p, config, words, memory);
  const logits = simvlmWords(p, config, states); // (B·T, V)
  const first = (x: Value): Value => reshape(slice(x, 1, 0, 1), [B, T]);
  const normaliser = sub(first(logits), first(logSoftmax(logits))); // ln Σ e^logit
  const targets = gather(wordTable(p, config), following(ids)); // (B, T, D)
  const likelihood = sub(sum(mul(states, targets), [2]), normaliser);
  const weights = cast(following(keep), "float32");
  const count = maximum(sum(weights, [1]), 1);
  return {
    logits,
    multimodal_embeddings: reshape(states, [B, T, D]),
    caption_log_likelihood: div(sum(mul(likelihood, weights), [1]), count),
  };
}
