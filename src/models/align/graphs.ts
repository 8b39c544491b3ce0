/** Whole graphs for using a trained ALIGN: pictures and texts. Results have the names that FLAVA's have. */
import { concat, input, permute, reshape, type Value } from "../../graph/index.ts";
import { l2Normalize, Params } from "../../nn/index.ts";
import { type ImageGraphSizes, type ModelGraph, modelGraph, type TextGraphSizes } from "../model.ts";
import type { AlignConfig } from "./config.ts";
import { alignImage, alignText } from "./model.ts";

/**
 * `pixel_values` (B, C, H, W), of any size → `image_embeddings` (B, 1 + h·w, E): the places, their mean first, `pooler_output` and
 * `image_features` (B, E): the mean, and `image_embeds` (B, E).
 */
export function alignImageGraph(config: AlignConfig, { batch, height, width }: ImageGraphSizes): ModelGraph {
  const p = new Params();
  const { imageSize: side, channels } = config.image;
  const pixels = input("pixel_values", [batch, channels, height ?? side, width ?? side]);
  const { hidden_states, features } = alignImage(p, config, pixels);
  return modelGraph("align.image", p, {
    image_embeddings: places(hidden_states.at(-1)!, features),
    pooler_output: features,
    image_features: features,
    image_embeds: l2Normalize(features),
  });
}

/** (B, E, h, w) and its mean (B, E) → (B, 1 + h·w, E). */
function places(x: Value, mean: Value): Value {
  const { B, E, h, w } = x.dims("B E h w");
  return concat([reshape(mean, [B, 1, E]), permute(reshape(x, [B, E, h * w]), [0, 2, 1])], 1);
}

/** `input_ids` (B, T) and `attention_mask` → `text_embeddings` (B, T, D), `pooler_output`, `text_features` and `text_embeds` (B, E). */
export function alignTextGraph(config: AlignConfig, sizes: TextGraphSizes): ModelGraph {
  const p = new Params();
  const { batch, textLength, attentionMask = true } = sizes;
  const places = (name: string): Value => input(name, [batch, textLength], "int32");
  const keep = attentionMask ? places("attention_mask") : undefined;
  const { last_hidden_state, pooler_output, features } = alignText(p, config, places("input_ids"), { keep });
  return modelGraph("align.text", p, {
    text_embeddings: last_hidden_state,
    pooler_output,
    text_features: features,
    text_embeds: l2Normalize(features),
  });
}

/** `pixel_values` → `features` (B, E), of length 1. */
export function alignFeatures(config: AlignConfig, batch: number, scope = ""): ModelGraph {
  const root = new Params();
  const { imageSize: side, channels } = config.image;
  const pixels = input("pixel_values", [batch, channels, side, side]);
  const { features } = alignImage(scope === "" ? root : root.at(scope), config, pixels);
  return modelGraph("align.features", root, { features: l2Normalize(features) });
}
