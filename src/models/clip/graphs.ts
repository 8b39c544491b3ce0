/** Whole graphs for using a trained CLIP: pictures and texts. Results have the names that FLAVA's have. */
import { input } from "../../graph/index.ts";
import { l2Normalize, Params } from "../../nn/index.ts";
import { type ImageGraphSizes, type ModelGraph, modelGraph, type TextGraphSizes } from "../model.ts";
import type { ClipConfig } from "./config.ts";
import { clipImage, clipText, type TowerOutputs } from "./model.ts";

/** `pixel_values` (B, C, H, W) → `image_embeddings` (B, N, D), `pooler_output`, `image_features` and `image_embeds` (B, E). */
export function clipImageGraph(config: ClipConfig, { batch, height, width, interpolate }: ImageGraphSizes): ModelGraph {
  const p = new Params();
  const { imageSize: side, channels } = config.image;
  const pixels = input("pixel_values", [batch, channels, height ?? side, width ?? side]);
  return modelGraph("clip.image", p, results("image", clipImage(p, config, pixels, { interpolate })));
}

/** `input_ids` (B, T) → `text_embeddings` (B, T, D), `pooler_output`, `text_features` and `text_embeds` (B, E). */
export function clipTextGraph(config: ClipConfig, { batch, textLength }: TextGraphSizes): ModelGraph {
  const p = new Params();
  const ids = input("input_ids", [batch, textLength], "int32");
  return modelGraph("clip.text", p, results("text", clipText(p, config, ids)));
}

/** `pixel_values` → `features` (B, D), of length 1: what the projection reads. */
export function clipFeatures(config: ClipConfig, batch: number, scope = ""): ModelGraph {
  const root = new Params();
  const { imageSize: side, channels } = config.image;
  const pixels = input("pixel_values", [batch, channels, side, side]);
  const { pooler_output } = clipImage(scope === "" ? root : root.at(scope), config, pixels);
  return modelGraph("clip.features", root, { features: l2Normalize(pooler_output) });
}

const results = (kind: "image" | "text", { embeddings, pooler_output, features }: TowerOutputs) => ({
  [`${kind}_embeddings`]: embeddings,
  pooler_output,
  [`${kind}_features`]: features,
  [`${kind}_embeds`]: l2Normalize(features),
});
