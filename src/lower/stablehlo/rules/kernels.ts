/** Products, softmax and layer normalisation. XLA fuses what surrounds them. */
import type { Shape } from "../../../tensor/index.ts";
import type { Rules } from "../rule.ts";
import type { Type } from "../types.ts";
import type { Ref, Writer } from "../writer.ts";

export const kernels: Rules<"matmul" | "softmax" | "logSoftmax" | "layerNorm" | "layerNormMean" | "layerNormInvStd"> = {
  matmul: (w, _, [a, b], { transposeA, transposeB }, result) => product(w, result, a!, b!, transposeA, transposeB),
  softmax: (w, _, [x], { axis }) => {
    const e = w.each("exponential", shifted(w, x!, axis));
    return w.each("divide", e, w.reduceAndSpread("add", e, axis, 0));
  },
  logSoftmax: (w, _, [x], { axis }) => {
    const low = shifted(w, x!, axis);
    const total = w.reduceAndSpread("add", w.each("exponential", low), axis, 0);
    return w.each("subtract", low, w.each("log", total));
  },
  layerNorm: (w, _, [x, weight, bias], { eps }) => {
    const scale = spread(w, invStd(w, x!, eps), x!.shape);
    const scaled = w.each("multiply", w.each("multiply", centred(w, x!), scale), w.broadcast(weight!, x!.shape));
    return w.each("add", scaled, w.broadcast(bias!, x!.shape));
  },
  layerNormMean: (w, value, [x]) => w.reshape(mean(w, x!), value.shape),
  layerNormInvStd: (w, value, [x], { eps }) => w.reshape(invStd(w, x!, eps), value.shape),
};

/** x − its maximum along an axis. */
const shifted = (w: Writer, x: Ref, axis: number): Ref =>
  w.each("subtract", x, w.reduceAndSpread("maximum", x, axis, Number.NEGATIVE_INFINITY));

/** The mean over the last axis, which goes away. */
function mean(w: Writer, x: Ref): Ref {
  return w.once(`mean ${x.name}`, () => {
    const sum = w.reduce("add", x, [x.shape.length - 1], 0);
    return w.each("multiply", sum, w.number(1 / x.shape.at(-1)!, sum));
  });
}

/** A number for each line of the last axis, repeated along it. */
const spread = (w: Writer, x: Ref, shape: Shape): Ref =>
  w.along(
    x,
    shape,
    x.shape.map((_, i) => i),
  );

const centred = (w: Writer, x: Ref): Ref =>
  w.once(`centred ${x.name}`, () => w.each("subtract", x, spread(w, mean(w, x), x.shape)));

function invStd(w: Writer, x: Ref, eps: number): Ref {
  return w.once(`invStd ${eps} ${x.name}`, () => {
    const c = centred(w, x);
    const variance = mean(w, w.each("multiply", c, c));
    return w.each("rsqrt", w.each("add", variance, w.number(eps, variance)));
  });
}

const list = (axes: readonly number[]): string => `[${axes.join(", ")}]`;
const HIGHEST = "#stablehlo<precision HIGHEST>";

/** Operands of float32 are multiplied as such: without a word a GPU would round them to 10 bits first. */
export const precision = (w: Writer, ...operands: readonly Ref[]): Record<string, string> =>
  w.exactProducts && operands.some(({ dtype }) => dtype === "float32")
    ? { precision_config: `[${HIGHEST}, ${HIGHEST}]` }
    : {};

function product(w: Writer, result: Type, a: Ref, b: Ref, transposeA: boolean, transposeB: boolean): Ref {
  const lead = result.shape.slice(0, -2);
  const batched = b.shape.length > 2; // a matrix on the right meets all rows of a batch at once
  const whole = (x: Ref): Ref => (batched ? w.broadcast(x, [...lead, ...x.shape.slice(-2)]) : x);
  const [x, y] = [whole(a), whole(b)];
  const axes = batched ? lead.map((_, i) => i) : [];
  const contracted = (r: Ref, turned: boolean, last: boolean): number => r.shape.length - (turned === last ? 2 : 1);
  const numbers =
    `lhs_batching_dimensions = ${list(axes)}, rhs_batching_dimensions = ${list(axes)}, ` +
    `lhs_contracting_dimensions = [${contracted(x, transposeA, true)}], ` +
    `rhs_contracting_dimensions = [${contracted(y, transposeB, false)}]`;
  return w.op("dot_general", [x, y], result, {
    dot_dimension_numbers: `#stablehlo.dot<${numbers}>`,
    ...precision(w, x, y),
  });
}
