/** Whole graphs for using a trained ALBEF. Results have the names that FLAVA's have. */
import { input, mean, slice, type Value } from "../../graph/index.ts";
import { l2Normalize, Params, token } from "../../nn/index.ts";
import {
  type ImageGraphSizes,
  type ModelGraph,
  modelGraph,
  type PairGraphSizes,
  type TextGraphSizes,
} from "../model.ts";
import type { AlbefConfig } from "./config.ts";
import { albefFeatures, albefFuse, albefImage, albefMatching, albefText, albefWords } from "./model.ts";

/** `pixel_values` → `image_embeddings` (B, N, D), `image_features`, `image_embeds` (B, E), and `image_mm`: what the fusion reads. */
export function albefImageGraph(config: AlbefConfig, sizes: ImageGraphSizes): ModelGraph {
  const p = new Params();
  const states = pictureOf(p, config, sizes);
  return modelGraph("albef.image", p, {
    image_embeddings: states,
    ...space(p, config, "image", states),
    image_mm: states,
  });
}

/** `input_ids` (B, T) and `attention_mask` → `text_embeddings` (B, T, D), `text_features`, `text_embeds` (B, E), and `text_mm`. */
export function albefTextGraph(config: AlbefConfig, sizes: TextGraphSizes): ModelGraph {
  const p = new Params();
  const states = albefText(p, config, idsOf(sizes), { mask: maskOf(sizes) });
  return modelGraph("albef.text", p, { text_embeddings: states, ...space(p, config, "text", states), text_mm: states });
}

/** `image_mm`, `text_mm` and `attention_mask` → `multimodal_embeddings` (B, T, D), the text's tokens, and `itm_logits` (B, 2). */
export function albefFusionGraph(config: AlbefConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const { imageSize, patchSize, hiddenSize } = config.image;
  const { batch, textLength, height = imageSize, width = imageSize } = sizes;
  const N = 1 + (height / patchSize) * (width / patchSize);
  const text = input("text_mm", [batch, textLength, config.text.hiddenSize]);
  const image = input("image_mm", [batch, N, hiddenSize]);
  return modelGraph("albef.fusion", p, fused(p, config, { text, image }, sizes));
}

/** Both inputs → what the three graphs above give, and the maps from text to picture where they are asked for. */
export function albefPairGraph(config: AlbefConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const taps = new Map<string, Value>();
  const image = pictureOf(p, config, sizes);
  const text = albefText(p, config, idsOf(sizes), { mask: maskOf(sizes) });
  const results = fused(p, config, { text, image }, sizes, taps);
  const maps = [...taps].filter(([name]) => /\.crossattention\..*\.probabilities$/.test(name));
  const attentions = Object.fromEntries(maps.map(([, map], layer) => [`multimodal_attentions.${layer}`, map]));
  return modelGraph("albef.pair", p, {
    ...results,
    image_embeddings: image,
    text_embeddings: text,
    ...space(p, config, "image", image),
    ...space(p, config, "text", text),
    ...(sizes.attentions && attentions),
  });
}

/** Text tokens to patches in the last layer's cross-attention, mean over heads: `maps` (B, T, P). */
export function albefAttention(config: AlbefConfig, sizes: PairGraphSizes): ModelGraph {
  const { graph, params } = albefPairGraph(config, { ...sizes, attentions: true });
  const all = graph.outputs[`multimodal_attentions.${config.text.fusionLayers - 1}`]!; // (B, H, T, N)
  return modelGraph("albef.attention", params, { maps: slice(mean(all, [1]), 2, 1) });
}

/** `states` (R, D) of fused tokens → `logits` (R, V). */
export function albefWordsGraph(config: AlbefConfig, rows: number): ModelGraph {
  const p = new Params();
  const states = input("states", [rows, config.text.hiddenSize]);
  return modelGraph("albef.words", p, { logits: albefWords(p, config, states) });
}

/** `pixel_values` → `features` (B, D) of length 1: the picture's CLS. */
export function albefPictureFeatures(config: AlbefConfig, batch: number, scope = ""): ModelGraph {
  const root = new Params();
  const states = pictureOf(scope === "" ? root : root.at(scope), config, { batch });
  return modelGraph("albef.features", root, { features: l2Normalize(token(states, 0)) });
}

const idsOf = ({ batch, textLength }: TextGraphSizes): Value => input("input_ids", [batch, textLength], "int32");

const maskOf = ({ batch, textLength, attentionMask = true }: TextGraphSizes): Value | undefined =>
  attentionMask ? input("attention_mask", [batch, textLength], "int32") : undefined;

function pictureOf(p: Params, config: AlbefConfig, sizes: ImageGraphSizes): Value {
  const { imageSize, channels } = config.image;
  const { batch, height = imageSize, width = imageSize, interpolate } = sizes;
  return albefImage(p, config, input("pixel_values", [batch, channels, height, width]), { interpolate });
}

function space(p: Params, config: AlbefConfig, kind: "image" | "text", states: Value): Record<string, Value> {
  const features = albefFeatures(p, config, kind === "image" ? "vision" : "text", states);
  return { [`${kind}_features`]: features, [`${kind}_embeds`]: l2Normalize(features) };
}

function fused(
  p: Params,
  config: AlbefConfig,
  states: { readonly text: Value; readonly image: Value },
  sizes: TextGraphSizes,
  out?: Map<string, Value>,
): Record<string, Value> {
  const multimodal_embeddings = albefFuse(p, config, states, { mask: maskOf(sizes), out });
  return { multimodal_embeddings, itm_logits: albefMatching(p, multimodal_embeddings) };
}
