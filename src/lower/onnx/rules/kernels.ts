/** Primitives that the engine runs as one kernel: products, softmax, layer normalisation. */
import type { Value } from "../../../graph/index.ts";
import type { Emitter } from "../emitter.ts";
import { type Rules, swapLastTwo } from "../rule.ts";

export const kernels: Rules<"matmul" | "softmax" | "logSoftmax" | "layerNorm" | "layerNormMean" | "layerNormInvStd"> = {
  matmul: (e, value, [a, b], { transposeA, transposeB }) => {
    const [x, y] = value.inputs as [Value, Value];
    return e.node("MatMul", [transposeA ? swapped(e, a!, x) : a!, transposeB ? swapped(e, b!, y) : b!]);
  },
  softmax: (e, _, inputs, { axis }) => e.node("Softmax", inputs, { axis: { int: axis } }),
  logSoftmax: (e, _, inputs, { axis }) =>
    e.target === "webgpu" ? logSoftmax(e, inputs[0]!, axis) : e.node("LogSoftmax", inputs, { axis: { int: axis } }),
  layerNorm: (e, _, inputs, { eps }) => e.node("LayerNormalization", inputs, layerNormAttrs(eps)),
  layerNormMean: (e, value, inputs) => mean(e, inputs[0]!, value.shape.length - 1),
  layerNormInvStd: (e, value, [x], { eps }) => {
    const last = value.shape.length - 1;
    const centred = e.node("Sub", [x!, mean(e, x!, last)]);
    const variance = mean(e, e.node("Mul", [centred, centred]), last);
    const deviation = e.node("Sqrt", [e.node("Add", [variance, e.scalar(eps, "float32")])]);
    return e.node("Reciprocal", [deviation]);
  },
};

/** Statistics in float32 (stash_type 1), over the last axis. */
export const layerNormAttrs = (
  eps: number,
): { axis: { int: number }; epsilon: { float: number }; stash_type: { int: number } } => ({
  axis: { int: -1 },
  epsilon: { float: eps },
  stash_type: { int: 1 },
});

/** With the last two axes exchanged. */
export const swapped = (e: Emitter, name: string, x: Value): string =>
  e.node("Transpose", [name], { perm: { ints: swapLastTwo(x.shape.length) } });

/** x − max − log Σ exp(x − max). */
function logSoftmax(e: Emitter, x: string, axis: number): string {
  const axes = e.ints([axis]);
  const centred = e.node("Sub", [x, e.node("ReduceMax", [x, axes])]);
  return e.node("Sub", [centred, e.node("Log", [e.node("ReduceSum", [e.node("Exp", [centred]), axes])])]);
}

const mean = (e: Emitter, x: string, axis: number): string => e.node("ReduceMean", [x, e.ints([axis])]);
