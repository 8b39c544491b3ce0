/** Normalisations with and without parameters. */
import { div, maximum, mul, layerNorm as normalize, sqrt, sum, type Value } from "../graph/index.ts";
import { ones, zeros } from "./init.ts";
import type { Params } from "./params.ts";

/** Layer normalisation over the last axis with weight and bias (Ba et al., arXiv:1607.06450). */
export function layerNorm(p: Params, x: Value, eps: number): Value {
  return p.scope(() => {
    const D = x.shape.at(-1)!;
    return normalize(x, p.get("weight", [D], ones), p.get("bias", [D], zeros), eps);
  });
}

/** x / max(‖x‖₂, 1e-12) over the last axis; a zero vector stays zero and has gradient zero. */
export function l2Normalize(x: Value): Value {
  const squares = sum(mul(x, x), [-1], { keep: true });
  return div(x, sqrt(maximum(squares, 1e-24)));
}
