/** Multi-head attention (Vaswani et al., arXiv:1706.03762, §3.2), and the masks that are added to its scores. */
import { ShapeError } from "../errors.ts";
import { add, cast, constant, matmul, mul, permute, reshape, slice, softmax, sub, type Value } from "../graph/index.ts";
import { tensor } from "../tensor/index.ts";
import type { Drop } from "./dropout.ts";
import { linear } from "./linear.ts";
import type { Params } from "./params.ts";

/** Intermediate values that a caller asks to see, by full name; what nobody reads is dropped from the graph. */
export type Taps = Map<string, Value>;

export interface AttentionOptions {
  heads: number;
  /** What keys and values are made of, (B, M, C); x itself unless said. */
  context?: Value | undefined;
  /** Added to the scores, broadcast to (B, H, N, M): 0 keeps a key, a large negative number drops it. */
  mask?: Value | undefined;
  qkvBias?: boolean;
  /** Width of queries, keys and values, all heads together; that of x unless said. */
  width?: number | undefined;
  /** What the three layers are called; query, key and value unless said. */
  names?: readonly [query: string, key: string, value: string];
  /** The one layer that gives queries, keys and values, in this order (timm's "qkv"); there is no context then. */
  fused?: string | undefined;
  /** Applied to the probabilities, as BERT's attention dropout is. */
  drop?: Drop | undefined;
  /** Receives `<path>.scores`, with the mask, and `<path>.probabilities`, both (B, H, N, M). */
  out?: Taps | undefined;
}

/** The context vectors of all heads, joined: (B, N, D) → (B, N, width), before the output projection. */
export function attention(p: Params, x: Value, options: AttentionOptions): Value {
  const { heads, mask, qkvBias = true, names = ["query", "key", "value"], fused, out, drop } = options;
  const { context = x, width = x.shape.at(-1)! } = options;
  return p.scope(() => {
    const { B, N } = x.dims("B N D");
    if (width % heads) throw new ShapeError(`${p.path}: width ${width} does not divide among ${heads} heads`);
    const K = width / heads;
    const split = (y: Value): Value => permute(reshape(y, [B, y.shape[1]!, heads, K]), [0, 2, 1, 3]); // (B, H, N, K)
    const projected = (name: string, of: Value): Value => split(linear(p.at(name), of, width, { bias: qkvBias }));
    const all = fused === undefined ? undefined : linear(p.at(fused), x, 3 * width, { bias: qkvBias }); // (B, N, 3·width)
    const [q, k, v] = all
      ? ([0, 1, 2].map((i) => split(slice(all, 2, i * width, (i + 1) * width))) as [Value, Value, Value])
      : [projected(names[0], x), projected(names[1], context), projected(names[2], context)];
    let scores = mul(matmul(q, k, { transposeB: true }), K ** -0.5); // (B, H, N, M)
    if (mask) scores = add(scores, mask);
    out?.set(`${p.path}.scores`, scores);
    const probabilities = softmax(scores);
    out?.set(`${p.path}.probabilities`, probabilities);
    const y = matmul(drop ? drop(p, probabilities, "attention") : probabilities, v); // (B, H, N, K)
    return reshape(permute(y, [0, 2, 1, 3]), [B, N, width]);
  });
}

/** The most negative finite float32: added to a score it leaves no weight, and a row of nothing else stays finite. */
const DROP = -3.4028234663852886e38;

/** Additive mask (B, 1, 1, N) from keep (B, N), 1 where a key may be attended (any dtype). `drop` is what others get. */
export function paddingMask(keep: Value, like: Value, drop: number = DROP): Value {
  const { B, N } = keep.dims("B N");
  return reshape(mul(sub(1, cast(keep, like.dtype)), drop), [B, 1, 1, N]);
}

/** Additive mask (N, N): token i sees tokens j ≤ i. Cut out of one of `longest` tokens, so that N may be left open. */
export const causalMask = (N: number, longest: number = N): Value => prefixMask(N, 0, longest);

/** Additive mask (N, N) of a prefix language model: token i sees token j where j < prefix or j ≤ i. */
export function prefixMask(N: number, prefix: number, longest: number = N): Value {
  const data = new Float64Array(longest * longest);
  for (let i = 0; i < longest; i++)
    data.fill(DROP, i * longest + Math.min(longest, Math.max(i + 1, prefix)), (i + 1) * longest);
  const whole = constant(tensor("float64", [longest, longest], data), "float32");
  return slice(slice(whole, 0, 0, N), 1, 0, N);
}
