/** CLIP (arXiv:2103.00020): an image tower and a causal text tower that meet in the contrastive space. Names are Hugging Face's. */
import { ShapeError } from "../../errors.ts";
import { add, argmax, broadcastTo, cast, concat, equal, reshape, slice, type Value } from "../../graph/index.ts";
import {
  type BatchNormOptions,
  causalMask,
  constantInit,
  embedding,
  type Interpolation,
  interpolatePositions,
  l2Normalize,
  layerNorm,
  linear,
  normal,
  type Params,
  patchEmbedding,
  type Taps,
  token,
  tokenAt,
} from "../../nn/index.ts";
import { type ClipConfig, type ClipImageConfig, imageWidth, tokenSide } from "./config.ts";
import { attentionPool, clipResnet } from "./resnet.ts";
import { clipLayers } from "./transformer.ts";

/** What a tower gives. */
export interface TowerOutputs {
  /** A transformer's states before its first layer and after each; none of a ResNet. */
  readonly hidden_states: readonly Value[];
  /** (B, N, D): the states of all tokens after the last LayerNorm; of a ResNet its places, their mean first. */
  readonly embeddings: Value;
  /** (B, D): the state that stands for the picture or the text. */
  readonly pooler_output: Value;
  /** (B, E): it in the contrastive space, not normalised. */
  readonly features: Value;
}

export interface ImageTowerOptions {
  /** How positions adapt to a picture of another size; without it, another size is a ShapeError. */
  readonly interpolate?: Interpolation | undefined;
  /** What a ResNet normalises by; "running" unless said. */
  readonly statistics?: BatchNormOptions["statistics"];
  readonly out?: Taps | undefined;
}

/** Pixels (B, C, H, W) → the image tower's results. `p` is the root. */
export function clipImage(p: Params, config: ClipConfig, pixels: Value, options: ImageTowerOptions = {}): TowerOutputs {
  const { image } = config;
  const [H, W] = [pixels.shape[2]!, pixels.shape[3]!];
  if (!options.interpolate && (H !== image.imageSize || W !== image.imageSize))
    throw new ShapeError(
      `vision_model: expected ${image.imageSize} × ${image.imageSize} pixels, got ${H} × ${W}`,
      "resize the image, or ask for interpolated positions",
    );
  return image.tower === "vit" ? vit(p, config, pixels, options) : resnet(p, config, pixels, options);
}

function vit(p: Params, config: ClipConfig, pixels: Value, { interpolate, out }: ImageTowerOptions): TowerOutputs {
  const { image, activation, projectionDim } = config;
  const { hiddenSize: D, layerNormEps: eps } = image;
  const tower = p.at("vision_model").withWeights(normal(D ** -0.5));
  return tower.scope(() => {
    const embedded = imageEmbeddings(tower.at("embeddings"), image, pixels, interpolate);
    const hidden_states = clipLayers(tower, layerNorm(tower.at("pre_layrnorm"), embedded, eps), image, {
      activation,
      out,
    });
    const embeddings = layerNorm(tower.at("post_layernorm"), hidden_states.at(-1)!, eps);
    const pooler_output = token(embeddings, 0);
    const projection = p.withWeights(normal(D ** -0.5)).at("visual_projection");
    return {
      hidden_states,
      embeddings,
      pooler_output,
      features: linear(projection, pooler_output, projectionDim, { bias: false }),
    };
  });
}

/** CLS and patches with their positions: (B, C, H, W) → (B, 1 + P, D). */
function imageEmbeddings(
  p: Params,
  config: ClipImageConfig,
  pixels: Value,
  interpolate: Interpolation | undefined,
): Value {
  return p.scope(() => {
    const { hiddenSize: D, patchSize, imageSize } = config;
    const patches = patchEmbedding(p.at("patch_embedding"), pixels, D, patchSize, { bias: false }); // (B, P, D)
    const cls = p.get("class_embedding", [D], p.weightInit);
    const count = 1 + (imageSize / patchSize) ** 2;
    const learned = reshape(p.at("position_embedding").get("weight", [count, D], p.weightInit), [1, count, D]);
    const [h, w] = [pixels.shape[2]! / patchSize, pixels.shape[3]! / patchSize];
    const positions = interpolate ? interpolatePositions(learned, h, w, interpolate) : learned;
    const B = pixels.shape[0]!;
    return add(concat([broadcastTo(reshape(cls, [1, 1, D]), [B, 1, D]), patches], 1), positions);
  });
}

function resnet(p: Params, config: ClipConfig, pixels: Value, options: ImageTowerOptions): TowerOutputs {
  const { image, projectionDim } = config;
  const { interpolate, statistics = "running" } = options;
  const tower = p.at("vision_model");
  const features = clipResnet(tower, image, pixels, statistics);
  const { tokens, pooled } = attentionPool(tower.at("attnpool"), features, {
    heads: image.heads,
    grid: image.imageSize / tokenSide(image),
    outputSize: projectionDim,
    interpolate,
  });
  return { hidden_states: [], embeddings: tokens, pooler_output: pooled, features: pooled };
}

/** Ids int (B, T) → the text tower's results; padding is never seen by what is pooled. `p` is the root. */
export function clipText(
  p: Params,
  config: ClipConfig,
  ids: Value,
  { out }: { out?: Taps | undefined } = {},
): TowerOutputs {
  const { text, projectionDim, textActivation: activation = config.activation } = config;
  const { hiddenSize: D, vocabSize, maxPositions, layerNormEps: eps, endTokenId } = text;
  const tower = p.at("text_model");
  return tower.scope(() => {
    const T = ids.shape[1]!;
    if (T > maxPositions) throw new ShapeError(`text_model: expected at most ${maxPositions} tokens, got ${T}`);
    const scope = tower.at("embeddings");
    const words = embedding(scope.withWeights(normal(0.02)).at("token_embedding"), ids, vocabSize, D); // (B, T, D)
    const positions = scope.at("position_embedding").get("weight", [maxPositions, D], normal(0.01));
    const embedded = add(words, slice(positions, 0, 0, T));
    const mask = causalMask(T, maxPositions);
    const hidden_states = clipLayers(tower, embedded, text, { activation, mask, out });
    const embeddings = layerNorm(tower.at("final_layer_norm"), hidden_states.at(-1)!, eps);
    const ends = argmax(endTokenId === null ? ids : cast(equal(ids, endTokenId), "int32"), 1); // (B): the first
    const pooler_output = tokenAt(embeddings, ends, maxPositions);
    const projection = p.withWeights(normal(D ** -0.5)).at("text_projection");
    return {
      hidden_states,
      embeddings,
      pooler_output,
      features: linear(projection, pooler_output, projectionDim, { bias: false }),
    };
  });
}

/** The log of the inverse temperature, clamped before use without a gradient of the clamp. `p` is the root. */
export const clipLogitScale = (p: Params, config: ClipConfig): Value =>
  p.get("logit_scale", [], constantInit(config.logitScaleInit), { clamp: config.logitScaleRange });

/** Both towers on a batch of pairs, (B, E) of length 1. `p` is the root. */
export function clipPairs(
  p: Params,
  config: ClipConfig,
  pixels: Value,
  ids: Value,
  options: ImageTowerOptions = {},
): { readonly image_embeds: Value; readonly text_embeds: Value } {
  return {
    image_embeds: l2Normalize(clipImage(p, config, pixels, options).features),
    text_embeds: l2Normalize(clipText(p, config, ids, options).features),
  };
}

/** Tokens of the image tower: the first one and the places. */
export const imageTokens = (image: ClipImageConfig): number => 1 + (image.imageSize / tokenSide(image)) ** 2;

export { imageWidth };
