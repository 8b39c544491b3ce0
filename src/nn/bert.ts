/** BERT's post-norm layer (Devlin et al., arXiv:1810.04805; Vaswani et al. §3.1), with its checkpoints' names. */
import { ShapeError } from "../errors.ts";
import { add, concat, gather, reshape, slice, stopGradient, type Value } from "../graph/index.ts";
import { type Activation, activations } from "./activation.ts";
import { attention, type Taps } from "./attention.ts";
import { embedding } from "./embedding.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";
import type { Params } from "./params.ts";

/** Sizes of BERT's embeddings. */
export interface BertEmbeddingsConfig {
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  readonly layerNormEps: number;
  /** Whether position 0 and type 0 never learn, as the padding word does: Hugging Face's LXMERT. */
  readonly firstRowsFixed?: boolean | undefined;
}

export interface BertEmbeddingsOptions {
  /** (B, T) of 0..typeVocabSize − 1; all 0 without it. */
  token_type_ids?: Value | undefined;
  /** (B, T) of 0..maxPositions − 1; 0..T − 1 without it. */
  position_ids?: Value | undefined;
}

/** LayerNorm(word + type + position): ids (B, T) → (B, T, D). The padding word never receives gradient. */
export function bertEmbeddings(
  p: Params,
  config: BertEmbeddingsConfig,
  ids: Value,
  { token_type_ids, position_ids }: BertEmbeddingsOptions = {},
): Value {
  return p.scope(() => {
    const { hiddenSize: D, vocabSize, maxPositions, typeVocabSize, padTokenId, layerNormEps } = config;
    const T = ids.shape[1]!;
    if (T > maxPositions) throw new ShapeError(`${p.path}: expected at most ${maxPositions} tokens, got ${T}`);
    const words = embedding(p.at("word_embeddings"), ids, vocabSize, D, { paddingId: padTokenId }); // (B, T, D)
    const table = config.firstRowsFixed ? firstRowFixed : plainTable;
    const positions = table(p.at("position_embeddings"), maxPositions, D);
    const types = table(p.at("token_type_embeddings"), typeVocabSize, D);
    const position = position_ids ? gather(positions, position_ids) : slice(positions, 0, 0, T);
    const type = token_type_ids ? gather(types, token_type_ids) : reshape(slice(types, 0, 0, 1), [D]);
    return layerNorm(p.at("LayerNorm"), add(words, add(position, type)), layerNormEps);
  });
}

const plainTable = (p: Params, rows: number, D: number): Value => p.get("weight", [rows, D], p.weightInit);

/** A table whose row 0 starts at zero and never receives gradient. */
function firstRowFixed(p: Params, rows: number, D: number): Value {
  const { weightInit: init } = p;
  const weight = p.get("weight", [rows, D], init.kind === "normal" ? { ...init, zeroRow: 0 } : init);
  return concat([stopGradient(slice(weight, 0, 0, 1)), slice(weight, 0, 1)], 0);
}

/** Sizes of a BERT layer. */
export interface BertLayerConfig {
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly activation?: Activation;
}

export interface BertLayerOptions {
  /** Additive, broadcast to (B, H, N, N). */
  mask?: Value | undefined;
  /** States that a second attention reads, (B, M, C), and its mask: `crossattention` (ALBEF). */
  cross?: { readonly context: Value; readonly mask?: Value | undefined } | undefined;
  out?: Taps | undefined;
}

/** y = LN(x + Wo·Attention(x)), with `cross` y = LN(y + Wo·Attention(y, context)), z = LN(y + W2·act(W1·y)): (B, N, D) → (B, N, D). */
export function bertLayer(p: Params, x: Value, config: BertLayerConfig, options: BertLayerOptions = {}): Value {
  return p.scope(() => {
    const { mask, cross, out } = options;
    const { intermediateSize, layerNormEps: eps, activation = "gelu" } = config;
    let y = bertAttention(p.at("attention"), x, config, { mask, out });
    if (cross) y = bertAttention(p.at("crossattention"), y, config, { ...cross, out });
    const h = activations[activation](linear(p.at("intermediate.dense"), y, intermediateSize));
    return addNorm(p.at("output"), h, y, eps);
  });
}

/** LN(x + Wo·Attention(x, context)): the names `self.{query,key,value}` and `output.{dense,LayerNorm}`. */
export function bertAttention(
  p: Params,
  x: Value,
  { heads, layerNormEps }: BertLayerConfig,
  options: { context?: Value | undefined; mask?: Value | undefined; out?: Taps | undefined },
): Value {
  return addNorm(p.at("output"), attention(p.at("self"), x, { heads, ...options }), x, layerNormEps);
}

/** LN(x + dense(h)). */
export const addNorm = (p: Params, h: Value, x: Value, eps: number): Value =>
  layerNorm(p.at("LayerNorm"), add(linear(p.at("dense"), h, x.shape.at(-1)!), x), eps);
