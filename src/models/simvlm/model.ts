/**
 * SimVLM (Wang et al., arXiv:2108.10904): an encoder of image tokens and the beginning of a text, which see each other, and a causal decoder of the
 * rest of the text. Nothing was published beside the paper: layers are pre-norm, positions learned, the decoder's words are the embeddings.
 */
import { ShapeError } from "../../errors.ts";
import {
  add,
  broadcastTo,
  cast,
  concat,
  constant,
  gelu,
  matmul,
  reshape,
  slice,
  type Value,
} from "../../graph/index.ts";
import {
  attention,
  type BatchNormOptions,
  causalMask,
  embedding,
  type Interpolation,
  layerNorm,
  linear,
  normal,
  type Params,
  paddingMask,
  resizeGrid,
  type Taps,
} from "../../nn/index.ts";
import { type SimvlmConfig, tokenSide } from "./config.ts";
import { placesAsTokens, simvlmStem } from "./stem.ts";

/** What the encoder reads: pixels, words, or both. */
export interface PrefixInputs {
  /** (B, C, H, W). */
  readonly pixels?: Value | undefined;
  /** int (B, P): the beginnings of texts, without the token that begins them, and 1 where a place is one of them. */
  readonly text?: { readonly ids: Value; readonly keep: Value } | undefined;
}

export interface SimvlmOptions {
  /** What the stem normalises by; "running" unless said. */
  readonly statistics?: BatchNormOptions["statistics"] | undefined;
  /** How positions adapt to a picture of another size; without it, another size is a ShapeError. */
  readonly interpolate?: Interpolation | undefined;
  readonly out?: Taps | undefined;
}

/** What the decoder attends to. */
export interface Memory {
  /** (B, M, D): the image's tokens, then the words'. */
  readonly states: Value;
  /** Additive, (B, 1, 1, M); absent where nothing is hidden. */
  readonly mask?: Value | undefined;
}

/** The parameters with the model's first weights. */
export const simvlmRoot = (p: Params, { initializerRange }: SimvlmConfig): Params =>
  p.withWeights(normal(initializerRange));

/** The encoder's final states. `p` is the root. */
export function simvlmEncode(
  p: Params,
  config: SimvlmConfig,
  { pixels, text }: PrefixInputs,
  options: SimvlmOptions = {},
): Memory {
  const root = simvlmRoot(p, config);
  const words = text && embeddedWords(root, config, "encoder", text.ids);
  const image = pixels && imageTokens(root, config, pixels, options);
  const parts = [image, words].filter((part) => part !== undefined);
  const mask = text && visible(text.keep, words!, image);
  const x = layers(root.at("encoder"), config, config.encoderLayers, concat(parts, 1), { mask, out: options.out });
  return { states: x, mask };
}

/** Image tokens are always seen; of the words' places those that are kept. */
function visible(keep: Value, like: Value, image: Value | undefined): Value {
  const kept = cast(keep, like.dtype);
  if (!image) return paddingMask(kept, like);
  const all = broadcastTo(constant(1, like.dtype), [image.shape[0]!, image.shape[1]!]);
  return paddingMask(concat([all, kept], 1), like);
}

/** Embedded words (B, T, D), each text's token that begins it and what is known of the rest → final states (B, T, D). `p` is the root. */
export function simvlmDecode(
  p: Params,
  config: SimvlmConfig,
  words: Value,
  memory: Memory,
  { out }: { readonly out?: Taps | undefined } = {},
): Value {
  const mask = causalMask(words.shape[1]!, config.text.maxPositions);
  const scope = simvlmRoot(p, config).at("decoder");
  return layers(scope, config, config.decoderLayers, words, { mask, memory, out });
}

/** States (…, D) → logits (R, V) over the next word, R all places in turn. `p` is the root. */
export function simvlmWords(p: Params, config: SimvlmConfig, states: Value): Value {
  return matmul(reshape(states, [-1, config.hiddenSize]), wordTable(p, config), { transposeB: true });
}

/** The embeddings of all words, (V, D), which the decoder's results are compared with. `p` is the root. */
export function wordTable(p: Params, config: SimvlmConfig): Value {
  const words = simvlmRoot(p, config).at("word_embeddings");
  return words.get("weight", [config.text.vocabSize, config.hiddenSize], words.weightInit);
}

/** Ids int (B, T) as one half of the model reads them: words and positions, (B, T, D). */
export function embeddedWords(p: Params, config: SimvlmConfig, half: "encoder" | "decoder", ids: Value): Value {
  const { hiddenSize: D, text } = config;
  const T = ids.shape[1]!;
  if (T > text.maxPositions)
    throw new ShapeError(`${half}: expected at most ${text.maxPositions} tokens, got ${T}`, "cut the texts");
  const words = embedding(p.at("word_embeddings"), ids, text.vocabSize, D);
  const positions = p.at(`${half}_positions`).get("weight", [text.maxPositions, D], p.weightInit);
  return add(words, slice(positions, 0, 0, T));
}

function imageTokens(p: Params, config: SimvlmConfig, pixels: Value, options: SimvlmOptions): Value {
  const { image, hiddenSize: D } = config;
  const { interpolate, statistics = "running" } = options;
  const [height, width] = [pixels.shape[2]!, pixels.shape[3]!];
  if (!interpolate && (height !== image.imageSize || width !== image.imageSize))
    throw new ShapeError(
      `stem: expected ${image.imageSize} × ${image.imageSize} pixels, got ${height} × ${width}`,
      "resize the image, or ask for interpolated positions",
    );
  const places = simvlmStem(p.at("stem"), config, pixels, statistics);
  const g = image.imageSize / tokenSide(image);
  const learned = p.get("image_positions", [1, g * g, D], p.weightInit);
  const [h, w] = [places.shape[2]!, places.shape[3]!];
  const positions =
    h === g && w === g ? learned : reshape(resizeGrid(reshape(learned, [g, g, D]), h, w, interpolate), [1, h * w, D]);
  return add(placesAsTokens(places), positions);
}

interface LayersOptions {
  /** Additive, broadcast to (B, H, N, N). */
  readonly mask?: Value | undefined;
  /** What the layers' second attention reads; a decoder's. */
  readonly memory?: Memory | undefined;
  readonly out?: Taps | undefined;
}

/** All layers and the last LayerNorm. `p` is the scope of the encoder or decoder. */
function layers(p: Params, config: SimvlmConfig, count: number, x: Value, options: LayersOptions): Value {
  let y = x;
  for (let i = 0; i < count; i++) y = layer(p.at(`layer.${i}`), config, y, options);
  return layerNorm(p.at("norm"), y, config.layerNormEps);
}

/** y = x + Attention(LN(x)); y = y + Attention(LN(y), memory); z = y + W2·GELU(W1·LN(y)). */
function layer(p: Params, config: SimvlmConfig, x: Value, { mask, memory, out }: LayersOptions): Value {
  const { heads, hiddenSize: D, layerNormEps: eps, intermediateSize } = config;
  const attend = (name: string, q: Value, options: { context?: Value; mask?: Value | undefined }): Value =>
    linear(p.at(name).at("output"), attention(p.at(name), q, { heads, out, ...options }), D);
  return p.scope(() => {
    let y = add(x, attend("self", layerNorm(p.at("norm1"), x, eps), { mask }));
    if (memory)
      y = add(y, attend("cross", layerNorm(p.at("norm2"), y, eps), { context: memory.states, mask: memory.mask }));
    const h = gelu(linear(p.at("mlp.fc1"), layerNorm(p.at("norm3"), y, eps), intermediateSize));
    return add(y, linear(p.at("mlp.fc2"), h, D));
  });
}
