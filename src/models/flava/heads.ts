/** The heads that pretraining puts on the encoders (arXiv:2112.04482 §3.2). */
import { add, constant, gather, gelu, matmul, reshape, type Value } from "../../graph/index.ts";
import { layerNorm, linear, type Params, pooler, zeros } from "../../nn/index.ts";
import { fromNumbers } from "../../tensor/index.ts";

/**
 * Logits over a vocabulary, rows (R, D) → (R, V): dense, GELU, LayerNorm, decoder. The decoder is not tied to the word
 * embedding. Its bias is one tensor that checkpoints store twice, as `bias` and as `decoder.bias`.
 */
export function maskedPredictionHead(p: Params, rows: Value, vocabSize: number, eps: number): Value {
  return p.scope(() => {
    const D = rows.shape[1]!;
    const transform = p.at("transform");
    const h = layerNorm(transform.at("LayerNorm"), gelu(linear(transform.at("dense"), rows, D)), eps);
    const bias = p.get("bias", [vocabSize], zeros, { aliases: ["decoder.bias"] });
    const decoder = p.at("decoder").get("weight", [vocabSize, D], p.weightInit);
    return add(matmul(h, decoder, { transposeB: true }), bias);
  });
}

/** Whether image and text belong together, multimodal states (B, M, D) → logits (B, 2); class 1 is "matched". */
export function itmHead(p: Params, states: Value): Value {
  return p.scope(() => linear(p.at("seq_relationship"), pooler(p.at("pooler"), states), 2));
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
