/** DETR's post-norm layers (arXiv:2005.12872, supplement A.3), with the names of torch's MultiheadAttention. */
import { add, matmul, mul, permute, relu, reshape, slice, softmax, type Value } from "../../graph/index.ts";
import { layerNorm, linear, type Params, zeros } from "../../nn/index.ts";

/** Sizes of a layer. */
export interface DetrLayerConfig {
  readonly heads: number;
  readonly intermediateSize: number;
}

const EPS = 1e-5;

interface Attended {
  readonly queries: Value;
  readonly keys: Value;
  readonly values: Value;
  readonly heads: number;
  /** Additive, (B, 1, 1, M). */
  readonly mask?: Value | undefined;
}

/** Queries (B, N, D), keys and values (B, M, D) → (B, N, D): one matrix holds the projections of all three. */
export function jointAttention(p: Params, { queries, keys, values, heads, mask }: Attended): Value {
  return p.scope(() => {
    const { B, N, D } = queries.dims("B N D");
    const weight = p.get("in_proj_weight", [3 * D, D], p.weightInit);
    const bias = p.get("in_proj_bias", [3 * D], zeros);
    const project = (x: Value, i: number): Value => {
      const rows = matmul(reshape(x, [-1, D]), slice(weight, 0, i * D, (i + 1) * D), { transposeB: true });
      const y = add(rows, slice(bias, 0, i * D, (i + 1) * D));
      return permute(reshape(y, [B, x.shape[1]!, heads, D / heads]), [0, 2, 1, 3]); // (B, H, M, K)
    };
    const [q, k, v] = [project(queries, 0), project(keys, 1), project(values, 2)];
    const scores = mul(matmul(q, k, { transposeB: true }), (D / heads) ** -0.5);
    const context = matmul(softmax(mask ? add(scores, mask) : scores), v);
    return linear(p.at("out_proj"), reshape(permute(context, [0, 2, 1, 3]), [B, N, D]), D);
  });
}

/** Positions are added to what is asked and to what answers, not to what is read: (B, N, D) → (B, N, D). */
export function encoderLayer(
  p: Params,
  x: Value,
  config: DetrLayerConfig,
  { positions, mask }: { readonly positions: Value; readonly mask?: Value | undefined },
): Value {
  return p.scope(() => {
    const placed = add(x, positions);
    const attended = jointAttention(p.at("self_attn"), {
      ...{ queries: placed, keys: placed, values: x, mask },
      heads: config.heads,
    });
    const y = layerNorm(p.at("norm1"), add(x, attended), EPS);
    return layerNorm(p.at("norm2"), add(y, feedForward(p, y, config)), EPS);
  });
}

/** What a decoder reads. */
export interface DecoderMemory {
  /** (B, M, D). */
  readonly states: Value;
  /** (B, M, D). */
  readonly positions: Value;
  /** Additive, (B, 1, 1, M). */
  readonly mask?: Value | undefined;
}

/** All layers on targets that start at zero; the shared last norm on each layer's result: queries (Q, D) → layers × (B, Q, D). */
export function decode(
  p: Params,
  queries: Value,
  memory: DecoderMemory,
  config: DetrLayerConfig & { readonly layers: number },
): Value[] {
  const states: Value[] = [];
  let x = mul(add(slice(memory.states, 1, 0, 1), reshape(queries, [1, ...queries.shape])), 0); // (B, Q, D) of zeros
  for (let i = 0; i < config.layers; i++) {
    x = decoderLayer(p.at(`layers.${i}`), x, queries, memory, config);
    states.push(layerNorm(p.at("norm"), x, EPS));
  }
  return states;
}

function decoderLayer(p: Params, x: Value, queries: Value, memory: DecoderMemory, config: DetrLayerConfig): Value {
  const { heads } = config;
  return p.scope(() => {
    const asking = add(x, queries);
    const own = jointAttention(p.at("self_attn"), { queries: asking, keys: asking, values: x, heads });
    let y = layerNorm(p.at("norm1"), add(x, own), EPS);
    const read = jointAttention(p.at("multihead_attn"), {
      queries: add(y, queries),
      keys: add(memory.states, memory.positions),
      values: memory.states,
      ...{ heads, mask: memory.mask },
    });
    y = layerNorm(p.at("norm2"), add(y, read), EPS);
    return layerNorm(p.at("norm3"), add(y, feedForward(p, y, config)), EPS);
  });
}

const feedForward = (p: Params, x: Value, { intermediateSize }: DetrLayerConfig): Value =>
  linear(p.at("linear2"), relu(linear(p.at("linear1"), x, intermediateSize)), x.shape.at(-1)!);
