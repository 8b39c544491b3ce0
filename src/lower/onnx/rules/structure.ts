/** Primitives that move elements without changing them, and reductions. */
import type { GraphDType, Value } from "../../../graph/index.ts";
import { fromNumbers, type Shape, size } from "../../../tensor/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Rules } from "../rule.ts";
import { castTo } from "./elementwise.ts";

export const structure: Rules<
  "barrier" | "reshape" | "permute" | "broadcastTo" | "slice" | "pad" | "concat" | "sum" | "reduceMax" | "argmax"
> = {
  // A copy of x that no optimisation can take away: x joined with no element of each of the others.
  barrier: (e, value, [x, ...after]) => {
    const n = size(value.shape);
    const nothing = after.map((name, i) => nothingOf(e, name, value.inputs[i + 1]!, value.dtype));
    const copy = e.node("Concat", [e.reshape(x!, value.shape, [n]), ...nothing], { axis: { int: 0 } });
    return e.reshape(copy, [n], value.shape);
  },
  reshape: (e, value, [x], { shape }) => e.reshape(x!, value.inputs[0]!.shape, shape),
  permute: (e, _, inputs, { perm }) => e.node("Transpose", inputs, { perm: { ints: perm } }),
  broadcastTo: (e, _, [x], { shape }) => e.node("Expand", [x!, e.ints(shape)]),
  slice: (e, value, [x], { starts, ends }) => {
    const cut = starts.map((_, i) => i).filter((i) => starts[i] !== 0 || ends[i] !== value.inputs[0]!.shape[i]);
    if (cut.length === 0) return x!;
    const pick = (list: readonly number[]): string => e.ints(cut.map((i) => list[i]!));
    return e.node("Slice", [x!, pick(starts), pick(ends), e.ints(cut)]);
  },
  pad: (e, _, [x], { before, after }) => e.node("Pad", [x!, e.ints([...before, ...after])]),
  concat: (e, value, inputs, { axis }) =>
    inputs.length === 1 ? inputs[0]! : e.node("Concat", skipEmpty(value, inputs, axis), { axis: { int: axis } }),
  sum: (e, value, [x]) => addUp(e, "ReduceSum", value, x!),
  reduceMax: (e, _, inputs, { axes, keep }) => reduce(e, "ReduceMax", inputs[0]!, axes, keep),
  argmax: (e, value, inputs, { axis }) => {
    if (e.target === "webgpu") return firstLargest(e, inputs[0]!, value.inputs[0]!.shape, axis);
    const index = e.node("ArgMax", inputs, { axis: { int: axis }, keepdims: { int: 0 } });
    return e.node("Cast", [index], castTo("int32"));
  },
};

/** The least place whose element is the largest, without the 64-bit numbers that ArgMax gives. */
function firstLargest(e: Emitter, x: string, shape: Shape, axis: number): string {
  const n = shape[axis]!;
  const line = shape.map((_, i) => (i === axis ? n : 1));
  const axes = e.ints([axis]);
  const places = e.constant(
    fromNumbers(
      Array.from({ length: n }, (_, i) => i),
      line,
      "int32",
    ),
  );
  const isLargest = e.node("Equal", [x, e.node("ReduceMax", [x, axes])]);
  const found = e.node("Where", [isLargest, places, e.scalar(n, "int32")]);
  return e.node("ReduceMin", [found, axes], { keepdims: { int: 0 } });
}

/** An empty tensor of `dtype` that is known when `of` is. */
function nothingOf(e: Emitter, name: string, of: Value, dtype: GraphDType): string {
  const flat = e.reshape(name, of.shape, [size(of.shape)]);
  const zero = e.ints([0]);
  const empty = e.node("Slice", [flat, zero, zero, zero]);
  return of.dtype === dtype ? empty : e.node("Cast", [empty], castTo(dtype));
}

/** An empty list of axes reduces nothing; ONNX's default for it would be all. */
export function reduce(e: Emitter, op: string, x: string, axes: readonly number[], keep: boolean): string {
  return axes.length === 0 ? x : e.node(op, [x, e.ints(axes)], { keepdims: { int: keep ? 1 : 0 } });
}

/** Elements from which a sum of everything is worth two steps. */
const LARGE = 1 << 16;

/**
 * Adds up, squared first when `op` is ReduceSumSquare. A sum of everything goes by rows first: the engine's kernel for a sum
 * of everything runs on one thread, and adds more numbers to each other than float32 likes.
 */
export function addUp(e: Emitter, op: "ReduceSum" | "ReduceSumSquare", value: Value<"sum">, x: string): string {
  const { axes, keep } = value.attrs;
  const { shape } = value.inputs[0]!;
  if (axes.length < 2 || axes.length < shape.length || size(shape) < LARGE) return reduce(e, op, x, axes, keep);
  const last = shape.length - 1;
  const rows = reduce(e, op, x, [last], true);
  return reduce(e, "ReduceSum", rows, axes, keep);
}

const skipEmpty = (value: Value, inputs: readonly string[], axis: number): readonly string[] =>
  value.shape[axis] === 0 ? inputs : inputs.filter((_, i) => value.inputs[i]!.shape[axis] !== 0);
