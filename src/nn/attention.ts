/** Multi-head self-attention (Vaswani et al., arXiv:1706.03762, §3.2). */
import { ShapeError } from "../errors.ts";
import { add, cast, matmul, mul, permute, reshape, softmax, sub, type Value } from "../graph/index.ts";
import { linear } from "./linear.ts";
import type { Params } from "./params.ts";

/** Intermediate values that a caller asks to see, by full name; what nobody reads is dropped from the graph. */
export type Taps = Map<string, Value>;

export interface AttentionOptions {
  heads: number;
  /** Added to the scores, broadcast to (B, H, N, N): 0 keeps a key, a large negative number drops it. */
  mask?: Value | undefined;
  qkvBias?: boolean;
  /** Receives `<path>.probabilities` (B, H, N, N). */
  out?: Taps | undefined;
}

/** The context vectors of all heads, joined: (B, N, D) → (B, N, D), before the output projection. */
export function selfAttention(p: Params, x: Value, { heads, mask, qkvBias = true, out }: AttentionOptions): Value {
  return p.scope(() => {
    const { B, N, D } = x.dims("B N D");
    if (D % heads) throw new ShapeError(`${p.path}: width ${D} does not divide among ${heads} heads`);
    const K = D / heads;
    const split = (name: string): Value => {
      const y = linear(p.at(name), x, D, { bias: qkvBias });
      return permute(reshape(y, [B, N, heads, K]), [0, 2, 1, 3]); // (B, H, N, K)
    };
    const [q, k, v] = [split("query"), split("key"), split("value")];
    let scores = mul(matmul(q, k, { transposeB: true }), K ** -0.5); // (B, H, N, N)
    if (mask) scores = add(scores, mask);
    const probabilities = softmax(scores);
    out?.set(`${p.path}.probabilities`, probabilities);
    const y = matmul(probabilities, v); // (B, H, N, K)
    return reshape(permute(y, [0, 2, 1, 3]), [B, N, D]);
  });
}

/** The most negative finite float32: added to a score it leaves no weight, and a row of nothing else stays finite. */
const DROP = -3.4028234663852886e38;

/** Additive mask (B, 1, 1, N) from keep (B, N), 1 where a key may be attended (any dtype). */
export function paddingMask(keep: Value, like: Value): Value {
  const { B, N } = keep.dims("B N");
  return reshape(mul(sub(1, cast(keep, like.dtype)), DROP), [B, 1, 1, N]);
}
