/** ViLT (arXiv:2102.03334): words and patches in one transformer, without an encoder of their own. Names are Hugging Face's. */
import { ShapeError } from "../../errors.ts";
import { add, broadcastTo, cast, concat, constant, reshape, slice, type Value } from "../../graph/index.ts";
import {
  bertEmbeddings,
  type EncoderOutputs,
  encode,
  linear,
  maskedPredictionHead,
  normal,
  type Params,
  paddingMask,
  patchEmbedding,
  type Taps,
  truncatedNormal,
} from "../../nn/index.ts";
import { type ViltConfig, viltGrid } from "./config.ts";
import { canvasPositions, pictureGrids } from "./positions.ts";

/** Embedded tokens of one modality. */
export interface ViltTokens {
  /** (B, N, D). */
  readonly tokens: Value;
  /** (B, N): 1 where a token may be attended; undefined: everywhere. */
  readonly keep: Value | undefined;
}

export interface ViltImageOptions {
  /** int (B, 2): rows and columns of patches of each picture, where the pixels are a canvas that they lie in. */
  readonly grid?: Value | undefined;
  /** Whether pixels may have another size than the model's own; without it that is a ShapeError. */
  readonly interpolate?: boolean | undefined;
}

/** The parameters with this model's first weights. `p` is the root. */
export const viltParams = (p: Params, { initializerRange }: Pick<ViltConfig, "initializerRange">): Params =>
  p.withWeights(normal(initializerRange));

/** Words: ids int (B, T) → (B, T, D). `p` is the root. */
export function viltText(p: Params, config: ViltConfig, ids: Value, attention_mask?: Value): ViltTokens {
  const scope = viltParams(p, config).at("vilt.embeddings");
  return scope.scope(() => {
    const words = bertEmbeddings(scope.at("text_embeddings"), { ...config.text, hiddenSize: config.hiddenSize }, ids);
    return { tokens: add(words, modality(scope, config, 0)), keep: attention_mask };
  });
}

/** A picture: pixels (B, C, H, W) → CLS and patches (B, 1 + P, D). `p` is the root. */
export function viltImage(
  p: Params,
  config: ViltConfig,
  pixels: Value,
  { grid, interpolate = false }: ViltImageOptions = {},
): ViltTokens {
  const scope = viltParams(p, config).at("vilt.embeddings");
  return scope.scope(() => {
    const { hiddenSize: D, image } = config;
    const start = truncatedNormal(config.initializerRange);
    const [g, B] = [viltGrid(image), pixels.shape[0]!];
    const canvas = { rows: pixels.shape[2]! / image.patchSize, columns: pixels.shape[3]! / image.patchSize };
    if (!grid && !interpolate && (canvas.rows !== g || canvas.columns !== g))
      throw new ShapeError(
        `vilt: expected ${image.imageSize} × ${image.imageSize} pixels, got ${pixels.shape[2]} × ${pixels.shape[3]}`,
        "resize the image, or ask for interpolated positions",
      );
    const cls = scope.get("cls_token", [1, 1, D], start);
    const learned = scope.get("position_embeddings", [1, 1 + g * g, D], start);
    const patches = patchEmbedding(scope.at("patch_embeddings.projection"), pixels, D, image.patchSize); // (B, P, D)
    const table = reshape(slice(learned, 1, 1), [g, g, D]);
    const placed = grid ? pictureGrids(table, grid, canvas) : undefined;
    const first = add(cls, slice(learned, 1, 0, 1)); // (1, 1, D)
    const rest = add(patches, placed ? placed.positions : canvasPositions(table, canvas));
    const tokens = add(concat([broadcastTo(first, [B, 1, D]), rest], 1), modality(scope, config, 1));
    return { tokens, keep: placed && concat([ones([B, 1], placed.inside), placed.inside], 1) };
  });
}

const ones = (shape: readonly number[], like: Value): Value => broadcastTo(constant(1, like.dtype), shape);

/** The vector that marks the tokens of a text (0) or of a picture (1), (1, D). */
function modality(p: Params, { modalities, hiddenSize }: ViltConfig, index: number): Value {
  const table = p.at("token_type_embeddings").get("weight", [modalities, hiddenSize], p.weightInit);
  return slice(table, 0, index, index + 1);
}

/** Both in one sequence, the text first, through all layers: (B, T + N, D). `p` is the root. */
export function viltFuse(
  p: Params,
  config: ViltConfig,
  text: ViltTokens,
  image: ViltTokens,
  out?: Taps,
): EncoderOutputs {
  const scope = viltParams(p, config).at("vilt");
  return scope.scope(() => {
    const x = concat([text.tokens, image.tokens], 1);
    return encode(scope, x, config, { mask: viltMask(text, image), out });
  });
}

/** Hides what is padding in either; undefined where nothing is. */
function viltMask(text: ViltTokens, image: ViltTokens): Value | undefined {
  if (!text.keep && !image.keep) return undefined;
  const keep = ({ tokens, keep: given }: ViltTokens): Value =>
    given ? cast(given, tokens.dtype) : ones(tokens.shape.slice(0, 2), tokens);
  return paddingMask(concat([keep(text), keep(image)], 1), text.tokens);
}

/** Whether text and picture belong together, pooled (B, D) → (B, 2), class 1 "matched". `p` is the root. */
export function viltMatching(p: Params, config: ViltConfig, pooled: Value): Value {
  const scope = viltParams(p, config);
  if (config.matchingHead === "itm") return linear(scope.at("itm_score.fc"), pooled, 2);
  const score = linear(scope.at("rank_output"), pooled, 1);
  return concat([broadcastTo(constant(0, score.dtype), score.shape), score], 1);
}

/** The words at masked places, states (R, D) → (R, V). `p` is the root. */
export function viltWords(p: Params, config: ViltConfig, rows: Value): Value {
  const scope = viltParams(p, config);
  const { hiddenSize, text, tiedDecoder } = config;
  const words = scope.at("vilt.embeddings.text_embeddings.word_embeddings");
  return maskedPredictionHead(scope.at("mlm_score"), rows, {
    vocabSize: text.vocabSize,
    eps: text.layerNormEps,
    ...(tiedDecoder && {
      tied: words.get("weight", [text.vocabSize, hiddenSize], words.weightInit),
      bias: ["decoder.bias", "bias"],
    }),
  });
}
