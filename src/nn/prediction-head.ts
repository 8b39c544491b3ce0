/** What predicts masked tokens: rows of states, and BERT's head on them (Devlin et al., arXiv:1810.04805). */
import { add, cast, constant, gather, gelu, lessEqual, matmul, maximum, reshape, type Value } from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { zeros } from "./init.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";
import type { Params } from "./params.ts";

export interface PredictionHead {
  readonly vocabSize: number;
  readonly eps: number;
  /** The matrix (V, D) of the last product, such as the word embeddings; its own `decoder.weight` unless given. */
  readonly tied?: Value | undefined;
  /** What the bias is called, and what else it may be in checkpoints, which store it twice. */
  readonly bias?: readonly [name: string, ...aliases: string[]];
}

/** Logits over a vocabulary, rows (R, D) → (R, V): dense, GELU, LayerNorm, decoder. */
export function maskedPredictionHead(p: Params, rows: Value, head: PredictionHead): Value {
  return p.scope(() => {
    const { vocabSize, eps, tied, bias: [name, ...aliases] = ["bias", "decoder.bias"] } = head;
    const D = rows.shape[1]!;
    const transform = p.at("transform");
    const h = layerNorm(transform.at("LayerNorm"), gelu(linear(transform.at("dense"), rows, D)), eps);
    const bias = p.get(name, [vocabSize], zeros, { aliases });
    const decoder = tied ?? p.at("decoder").get("weight", [vocabSize, D], p.weightInit);
    return add(matmul(h, decoder, { transposeB: true }), bias);
  });
}

/** Targets int (B, K), −100 where there is none → rows (B·K): 0 or more, and 1 where there is one. */
export function maskedTargets(targets: Value, like: Value): { readonly targets: Value; readonly weights: Value } {
  const rows = reshape(targets, [-1]);
  return { targets: maximum(rows, 0), weights: cast(lessEqual(0, rows), like.dtype) };
}

/** The tokens at `positions` (B, K) counted from token `offset`: states (B, N, D) → rows (B·K, D). */
export function tokensAt(states: Value, positions: Value, offset: number): Value {
  const { B, N, D } = states.dims("B N D");
  return gather(reshape(states, [B * N, D]), flatPositions(positions, N, offset));
}

/** Values at `positions` (B, K) of per-token values (B, N) → (B·K). */
export function valuesAt(values: Value, positions: Value): Value {
  const { B, N } = values.dims("B N");
  return gather(reshape(values, [B * N]), flatPositions(positions, N, 0));
}

/** Row numbers b·N + offset + position of the joined sequences: (B, K) → (B·K). */
function flatPositions(positions: Value, N: number, offset: number): Value {
  const { B, K } = positions.dims("B K");
  const starts = Array.from({ length: B }, (_, b) => b * N + offset);
  return reshape(add(positions, constant(fromNumbers(starts, [B, 1], "int32"))), [B * K]);
}
