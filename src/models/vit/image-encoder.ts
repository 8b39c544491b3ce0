/** The image encoder: a ViT (arXiv:2010.11929) with a mask token (BEiT, arXiv:2106.08254 §2.3). */
import { ConfigError, ShapeError } from "../../errors.ts";
import { add, broadcastTo, concat, input, reshape, type Value, where } from "../../graph/index.ts";
import {
  type Drop,
  type EncoderOutputs,
  encode,
  type Init,
  type Interpolation,
  initialised,
  interpolatePositions,
  l2Normalize,
  Params,
  patchEmbedding,
  type Taps,
  token,
  tokenInitializer,
} from "../../nn/index.ts";
import { type ModelGraph, modelGraph } from "../model.ts";
import { gridSize, type ImageConfig } from "./config.ts";

/** Optional inputs of the image encoder. */
export interface ImageEncoderOptions {
  /** bool (B, P): true where the mask token replaces the patch. */
  bool_masked_pos?: Value | undefined;
  /** How positions adapt to an image of another size; without it, another size is a ShapeError. */
  interpolate?: Interpolation | undefined;
  /** What CLS and position embeddings start from: as the configuration says, a truncated normal in DINO. */
  tokenInit?: Init;
  out?: Taps | undefined;
  drop?: Drop | undefined;
}

/** Patches, mask token, CLS and positions: pixels (B, C, H, W) → (B, 1 + P, D). A masked patch keeps its position. */
export function imageEmbeddings(
  p: Params,
  config: ImageConfig,
  pixels: Value,
  options: ImageEncoderOptions = {},
): Value {
  return p.scope(() => {
    const configured = tokenInitializer(config.tokenInitializerRange);
    const { bool_masked_pos: mask, interpolate, tokenInit = configured } = options;
    const { hiddenSize: D, patchSize } = config;
    const [height, width] = [pixels.shape[2]! / patchSize, pixels.shape[3]! / patchSize];
    const cls = p.get("cls_token", [1, 1, D], tokenInit);
    const maskToken = config.maskToken ? p.get("mask_token", [1, 1, D], configured) : undefined;
    const grid = gridSize(config);
    const learned = p.get("position_embeddings", [1, 1 + grid * grid, D], tokenInit);
    if (!interpolate && (height !== grid || width !== grid))
      throw new ShapeError(
        `${p.path}: expected ${config.imageSize} × ${config.imageSize} pixels, got ${pixels.shape[2]} × ${pixels.shape[3]}`,
        "resize the image, or ask for interpolated positions",
      );

    let x = patchEmbedding(p.at("patch_embeddings.projection"), pixels, D, patchSize); // (B, P, D)
    const { B, P } = x.dims("B P D");
    if (mask) {
      if (!maskToken) throw new ConfigError(`${p.path}: got a patch mask, but this model has no mask token`);
      x = where(reshape(mask, [B, P, 1]), maskToken, x);
    }
    x = concat([broadcastTo(cls, [B, 1, D]), x], 1); // (B, 1 + P, D)
    return add(x, interpolate ? interpolatePositions(learned, height, width, interpolate) : learned);
  });
}

/** Pixels (B, C, H, W) → states (B, 1 + P, D). `p` is the scope `image_model`. */
export function imageEncoder(
  p: Params,
  config: ImageConfig,
  pixels: Value,
  options: ImageEncoderOptions = {},
): EncoderOutputs {
  const scope = initialised(p, config);
  const { out, drop } = options;
  return encode(scope, imageEmbeddings(scope.at("embeddings"), config, pixels, options), config, { out, drop });
}

/**
 * `pixel_values` (B, C, S, S) → `features` (B, D): CLS after the final LayerNorm, of length 1. `scope` stands before the parameters'
 * names ("teacher" for DINO's).
 */
export function imageFeatures(config: ImageConfig, batch: number, scope = ""): ModelGraph {
  const root = new Params();
  const p = scope === "" ? root : root.at(scope);
  const pixels = input("pixel_values", [batch, config.channels, config.imageSize, config.imageSize]);
  const { last_hidden_state } = imageEncoder(p.at("flava.image_model"), config, pixels);
  return modelGraph("vit.features", root, { features: l2Normalize(token(last_hidden_state, 0)) });
}
