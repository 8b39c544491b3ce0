/**
 * y·(g − Σ y·g), the gradient of softmax, in fewer passes over the probabilities than y·g − y·Σ(y·g). In attention, where
 * g = dO·Vᵀ and O = y·V, the sum is taken over dO·O instead, which is smaller (Dao et al., arXiv:2205.14135, appendix B).
 */
import { isOp, type Value } from "../../../graph/index.ts";
import type { Around, Fusion } from "../fusion.ts";
import { eitherWay } from "./match.ts";

export const softmaxGradient: Fusion = {
  name: "softmaxGradient",
  match: (value, around) => {
    const found = gradientOf(value);
    if (!found) return undefined;
    const { g, y, axis } = found;
    const [left, right] = smaller(g, y, around) ?? [g, y];
    return {
      operands: [g, y, left, right],
      emit: (e, [gradient, probabilities, a, b]) => {
        const total = e.node("ReduceSum", [e.node("Mul", [a!, b!]), e.ints([axis])], { keepdims: { int: 1 } });
        return e.node("Mul", [probabilities!, e.node("Sub", [gradient!, total])]);
      },
    };
  },
};

/** g, y and the axis, where `v` is g·y − y·Σ(g·y) and y a softmax. */
function gradientOf(v: Value): { g: Value; y: Value<"softmax">; axis: number } | undefined {
  if (!isOp(v, "sub")) return undefined;
  const [gy, rest] = v.inputs as [Value, Value];
  if (!isOp(gy, "mul") || !isOp(rest, "mul")) return undefined;
  for (const [y, total] of eitherWay(rest)) {
    if (!isOp(y, "softmax") || !isOp(total, "sum") || total.inputs[0] !== gy) continue;
    const { axes, keep } = total.attrs;
    const g = eitherWay(gy).find(([a]) => a === y)?.[1];
    if (g && keep && axes.length === 1 && axes[0] === y.attrs.axis) return { g, y, axis: y.attrs.axis };
  }
  return undefined;
}

/** dO and O with Σ dO·O = Σ y·g over the last axis, where both are in the graph. */
function smaller(g: Value, y: Value<"softmax">, around: Around): [Value, Value] | undefined {
  if (!isOp(g, "matmul") || g.attrs.transposeA || !g.attrs.transposeB || y.attrs.axis !== y.shape.length - 1)
    return undefined;
  const [gradient, v] = g.inputs as [Value, Value];
  if (gradient.shape.length !== y.shape.length || gradient.shape.at(-1)! >= y.shape.at(-1)!) return undefined;
  const output = around
    .users(y)
    .find(
      (u) => isOp(u, "matmul") && u.inputs[0] === y && u.inputs[1] === v && !u.attrs.transposeA && !u.attrs.transposeB,
    );
  return output && [gradient, output];
}
