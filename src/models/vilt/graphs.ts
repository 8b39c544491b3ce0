/** Whole graphs for using a trained ViLT. Both modalities are only embedded apart, so `image` and `text` give what `fusion` reads. */
import { concat, input, mean, slice, type Value } from "../../graph/index.ts";
import { Params } from "../../nn/index.ts";
import {
  type ImageGraphSizes,
  type ModelGraph,
  modelGraph,
  type PairGraphSizes,
  type TextGraphSizes,
} from "../model.ts";
import type { ViltConfig } from "./config.ts";
import { type ViltTokens, viltFuse, viltImage, viltMatching, viltText, viltWords } from "./model.ts";

/** `pixel_values` (B, C, H, W) → `image_mm` (B, 1 + P, D): CLS and patches, embedded. */
export function viltImageGraph(config: ViltConfig, sizes: ImageGraphSizes): ModelGraph {
  const p = new Params();
  return modelGraph("vilt.image", p, { image_mm: pictureOf(p, config, sizes).tokens });
}

/** `input_ids` (B, T) → `text_mm` (B, T, D): words, embedded. */
export function viltTextGraph(config: ViltConfig, { batch, textLength }: TextGraphSizes): ModelGraph {
  const p = new Params();
  const ids = input("input_ids", [batch, textLength], "int32");
  return modelGraph("vilt.text", p, { text_mm: viltText(p, config, ids).tokens });
}

/**
 * `image_mm`, `text_mm` and `attention_mask` → `multimodal_embeddings` (B, N + T, D), the picture's tokens before the text's as FLAVA gives
 * them, `pooler_output` (B, D) of the text's [CLS], and `itm_logits` (B, 2).
 */
export function viltFusionGraph(config: ViltConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const { batch, textLength } = sizes;
  const { imageSize, patchSize } = config.image;
  const { height = imageSize, width = imageSize } = sizes;
  const patches = (height / patchSize) * (width / patchSize);
  const tokens = (name: string, N: number): Value => input(name, [batch, N, config.hiddenSize]);
  return modelGraph(
    "vilt.fusion",
    p,
    fused(p, config, {
      text: { tokens: tokens("text_mm", textLength), keep: maskOf(sizes) },
      image: { tokens: tokens("image_mm", 1 + patches), keep: undefined },
    }),
  );
}

/** Both inputs → what `viltFusionGraph` gives, and the attention maps where they are asked for; scores have the picture first, as FLAVA's. */
export function viltPairGraph(config: ViltConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const taps = new Map<string, Value>();
  const ids = input("input_ids", [sizes.batch, sizes.textLength], "int32");
  const text = viltText(p, config, ids, maskOf(sizes));
  const results = fused(p, config, { text, image: pictureOf(p, config, sizes) }, taps);
  const ending = (end: string): Value[] => [...taps].filter(([name]) => name.endsWith(end)).map(([, x]) => x);
  const T = sizes.textLength;
  const pictureFirst = (x: Value, axis: number): Value => concat([slice(x, axis, T), slice(x, axis, 0, T)], axis);
  const attentions = Object.fromEntries([
    ...ending(".probabilities").map((map, layer) => [`multimodal_attentions.${layer}`, map]),
    ...ending(".scores").map((x, layer) => [`multimodal_scores.${layer}`, pictureFirst(pictureFirst(x, 2), 3)]),
  ]);
  return modelGraph("vilt.pair", p, { ...results, ...(sizes.attentions && attentions) });
}

/** Text tokens to patches in the last layer, mean over heads: `maps` (B, T, P). */
export function viltAttention(config: ViltConfig, sizes: PairGraphSizes): ModelGraph {
  const { graph, params } = viltPairGraph(config, { ...sizes, attentions: true });
  const all = graph.outputs[`multimodal_attentions.${config.layers - 1}`]!; // (B, H, M, M)
  const T = sizes.textLength;
  const tokens = slice(mean(all, [1]), 1, 0, T); // (B, T, M)
  return modelGraph("vilt.attention", params, { maps: slice(tokens, 2, T + 1) });
}

/** `states` (R, D) of text tokens → `logits` (R, V). */
export function viltWordsGraph(config: ViltConfig, rows: number): ModelGraph {
  const p = new Params();
  return modelGraph("vilt.words", p, { logits: viltWords(p, config, input("states", [rows, config.hiddenSize])) });
}

const maskOf = ({ batch, textLength, attentionMask = true }: TextGraphSizes): Value | undefined =>
  attentionMask ? input("attention_mask", [batch, textLength], "int32") : undefined;

function pictureOf(p: Params, config: ViltConfig, sizes: ImageGraphSizes): ViltTokens {
  const { imageSize, channels } = config.image;
  const { batch, height = imageSize, width = imageSize, interpolate } = sizes;
  const pixels = input("pixel_values", [batch, channels, height, width]);
  return viltImage(p, config, pixels, { interpolate: interpolate !== undefined });
}

function fused(
  p: Params,
  config: ViltConfig,
  { text, image }: { readonly text: ViltTokens; readonly image: ViltTokens },
  out?: Map<string, Value>,
): Record<string, Value> {
  const { last_hidden_state: states, pooler_output } = viltFuse(p, config, text, image, out);
  const T = text.tokens.shape[1]!;
  return {
    multimodal_embeddings: concat([slice(states, 1, T), slice(states, 1, 0, T)], 1),
    pooler_output,
    itm_logits: viltMatching(p, config, pooler_output),
  };
}
