/**
 * ALBEF (arXiv:2107.07651): a ViT, the lower half of a BERT that reads the text, and its upper half that reads the picture too. Names are those
 * of salesforce/ALBEF.
 */
import { ShapeError } from "../../errors.ts";
import { add, broadcastTo, concat, gelu, type Value } from "../../graph/index.ts";
import {
  attention,
  bertEmbeddings,
  bertLayer,
  constantInit,
  fanInUniform,
  type Interpolation,
  interpolatePositions,
  l2Normalize,
  layerNorm,
  linear,
  maskedPredictionHead,
  normal,
  type Params,
  paddingMask,
  patchEmbedding,
  type Taps,
  token,
  truncatedNormal,
} from "../../nn/index.ts";
import { type AlbefConfig, type AlbefImageConfig, albefGrid } from "./config.ts";

/** Whose weights: the model's own, or those of its average. */
export type Whose = "own" | "momentum";

const scopeOf = (p: Params, name: string, whose: Whose): Params => p.at(whose === "own" ? name : `${name}_m`);

export interface AlbefImageOptions {
  /** How positions adapt to a picture of another size; without it, another size is a ShapeError. */
  readonly interpolate?: Interpolation | undefined;
  readonly whose?: Whose;
}

/** Pixels (B, C, H, W) → states (B, 1 + P, D) after the last norm. `p` is the root. */
export function albefImage(
  p: Params,
  { image }: Pick<AlbefConfig, "image">,
  pixels: Value,
  { interpolate, whose = "own" }: AlbefImageOptions = {},
): Value {
  const start = truncatedNormal(image.initializerRange);
  const scope = scopeOf(p, "visual_encoder", whose).withWeights(start);
  return scope.scope(() => {
    const { hiddenSize: D, patchSize, layerNormEps } = image;
    const grid = albefGrid(image);
    const [h, w] = [pixels.shape[2]! / patchSize, pixels.shape[3]! / patchSize];
    if (!interpolate && (h !== grid || w !== grid))
      throw new ShapeError(
        `visual_encoder: expected ${image.imageSize} × ${image.imageSize} pixels, got ${pixels.shape[2]} × ${pixels.shape[3]}`,
        "resize the image, or ask for interpolated positions",
      );
    const patches = patchEmbedding(scope.at("patch_embed.proj"), pixels, D, patchSize); // (B, P, D)
    const cls = scope.get("cls_token", [1, 1, D], start);
    const learned = scope.get("pos_embed", [1, 1 + grid * grid, D], start);
    const positions = interpolate ? interpolatePositions(learned, h, w, interpolate) : learned;
    let x = add(concat([broadcastTo(cls, [pixels.shape[0]!, 1, D]), patches], 1), positions);
    for (let i = 0; i < image.layers; i++) x = visionBlock(scope.at(`blocks.${i}`), x, image);
    return layerNorm(scope.at("norm"), x, layerNormEps);
  });
}

/** timm's block: y = x + proj(Attention(LN(x))); z = y + fc2·GELU(fc1·LN(y)). */
function visionBlock(
  p: Params,
  x: Value,
  { hiddenSize: D, heads, intermediateSize, layerNormEps: eps }: AlbefImageConfig,
): Value {
  return p.scope(() => {
    const attn = p.at("attn");
    const context = attention(attn, layerNorm(p.at("norm1"), x, eps), { heads, fused: "qkv" });
    const y = add(x, linear(attn.at("proj"), context, D));
    const h = gelu(linear(p.at("mlp.fc1"), layerNorm(p.at("norm2"), y, eps), intermediateSize));
    return add(y, linear(p.at("mlp.fc2"), h, D));
  });
}

const bertOf = (p: Params, { text }: AlbefConfig, whose: Whose): Params =>
  scopeOf(p, "text_encoder", whose).withWeights(normal(text.initializerRange));

export interface AlbefTextOptions {
  /** (B, T), 1 where a token counts; without it all do. */
  readonly mask?: Value | undefined;
  readonly whose?: Whose;
  readonly out?: Taps | undefined;
}

/** The lower half: ids (B, T) → states (B, T, D) of the text alone. `p` is the root. */
export function albefText(
  p: Params,
  config: AlbefConfig,
  ids: Value,
  { mask, whose = "own", out }: AlbefTextOptions = {},
): Value {
  const bert = bertOf(p, config, whose).at("bert");
  return bert.scope(() => {
    let x = bertEmbeddings(bert.at("embeddings"), config.text, ids);
    const hidden = mask && paddingMask(mask, x);
    for (let i = 0; i < config.text.layers; i++)
      x = bertLayer(bert.at(`encoder.layer.${i}`), x, config.text, { mask: hidden, out });
    return x;
  });
}

/** The upper half: states of the text (B, T, D) beside those of the picture (B, N, D') → (B, T, D). `p` is the root. */
export function albefFuse(
  p: Params,
  config: AlbefConfig,
  { text, image }: { readonly text: Value; readonly image: Value },
  { mask, whose = "own", out }: AlbefTextOptions = {},
): Value {
  const bert = bertOf(p, config, whose).at("bert");
  return bert.scope(() => {
    const hidden = mask && paddingMask(mask, text);
    const { layers, fusionLayers } = config.text;
    let x = text;
    for (let i = layers; i < layers + fusionLayers; i++)
      x = bertLayer(bert.at(`encoder.layer.${i}`), x, config.text, { mask: hidden, cross: { context: image }, out });
    return x;
  });
}

/** The first token of states (B, N, D) in the contrastive space, (B, E) of length 1. `p` is the root. */
export const albefEmbeds = (
  p: Params,
  config: AlbefConfig,
  modality: "vision" | "text",
  states: Value,
  whose: Whose = "own",
): Value => l2Normalize(albefFeatures(p, config, modality, states, whose));

/** The same before it is brought to length 1. */
export const albefFeatures = (
  p: Params,
  config: AlbefConfig,
  modality: "vision" | "text",
  states: Value,
  whose: Whose = "own",
): Value =>
  linear(scopeOf(p, `${modality}_proj`, whose).withWeights(fanInUniform), token(states, 0), config.projectionDim);

/** Whether picture and text belong together, fused states (B, T, D) → (B, 2), class 1 "matched". `p` is the root. */
export const albefMatching = (p: Params, states: Value): Value =>
  linear(p.at("itm_head").withWeights(fanInUniform), token(states, 0), 2);

/** The words at masked places, rows (R, D) → (R, V), with the matrix of word embeddings. `p` is the root. */
export function albefWords(p: Params, config: AlbefConfig, rows: Value, whose: Whose = "own"): Value {
  const { vocabSize, hiddenSize, layerNormEps: eps } = config.text;
  const encoder = bertOf(p, config, whose);
  const words = encoder.at("bert.embeddings.word_embeddings");
  const tied = words.get("weight", [vocabSize, hiddenSize], words.weightInit);
  return maskedPredictionHead(encoder.at("cls.predictions"), rows, { vocabSize, eps, tied });
}

/** The temperature itself, clamped before use without a gradient of the clamp. `p` is the root. */
export const albefTemperature = (p: Params, { temperatureInit, temperatureRange }: AlbefConfig): Value =>
  p.get("temp", [], constantInit(temperatureInit), { clamp: temperatureRange });
