/** The affine layer. */
import { add, matmul, reshape, type Value } from "../graph/index.ts";
import { zeros } from "./init.ts";
import type { Params } from "./params.ts";

interface LinearOptions {
  bias?: boolean;
}

/** y = x Wᵀ + b over the last axis of x (…, in) → (…, out); the weight is stored (out, in), as in the checkpoints. */
export function linear(p: Params, x: Value, out: number, { bias = true }: LinearOptions = {}): Value {
  return p.scope(() => {
    const rows = reshape(x, [-1, x.shape.at(-1)!]); // one product of all rows, with the bias beside it
    let y = matmul(rows, p.get("weight", [out, rows.shape[1]!], p.weightInit), { transposeB: true });
    if (bias) y = add(y, p.get("bias", [out], zeros));
    return reshape(y, [...x.shape.slice(0, -1), out]);
  });
}
