/** The functions that build graphs: one for each primitive, and the few composites that everybody needs. */
import { ShapeError } from "../errors.ts";
import { formatShape, fromNumbers, type Shape, sameShape, size, type Tensor } from "../tensor/index.ts";
import type { Comparison, ConvWindow, GraphDType, PoolWindow } from "./primitives.ts";
import { Value } from "./value.ts";

/** A value, or a number that becomes a scalar constant of the other operand's dtype. */
export type Operand = Value | number;

const NONE = {};

/** A named tensor that is fed at each run, or that lives in the engine as state. */
export const input = (name: string, shape: Shape, dtype: GraphDType = "float32"): Value =>
  new Value("input", [], { name, shape: [...shape], dtype });

/**
 * Fixed numbers: a host tensor, or one number (a scalar). A float32 constant keeps the float64 digits that it is given, for
 * the interpreter; a tensor has its own dtype unless another is said.
 */
export function constant(value: Tensor | number, dtype?: GraphDType): Value {
  if (typeof value !== "number")
    return new Value("constant", [], {
      value: value as Tensor<GraphDType>,
      dtype: dtype ?? (value.dtype as GraphDType),
    });
  const to = dtype ?? "float32";
  return new Value("constant", [], {
    value: fromNumbers([value], [], to === "float32" || to === "bfloat16" ? "float64" : to),
    dtype: to,
  });
}

const like = (x: Operand, other: Operand): Value =>
  x instanceof Value ? x : constant(x, other instanceof Value ? other.dtype : "float32");

export const neg = (x: Value): Value => new Value("neg", [x], NONE);
export const exp = (x: Value): Value => new Value("exp", [x], NONE);
export const log = (x: Value): Value => new Value("log", [x], NONE);
export const sqrt = (x: Value): Value => new Value("sqrt", [x], NONE);
export const erf = (x: Value): Value => new Value("erf", [x], NONE);
export const tanh = (x: Value): Value => new Value("tanh", [x], NONE);
export const sigmoid = (x: Value): Value => new Value("sigmoid", [x], NONE);
export const abs = (x: Value): Value => new Value("abs", [x], NONE);
export const sign = (x: Value): Value => new Value("sign", [x], NONE);
export const relu = (x: Value): Value => new Value("relu", [x], NONE);
/** x·Φ(x), exact (Hendrycks & Gimpel, arXiv:1606.08415). */
export const gelu = (x: Value): Value => new Value("gelu", [x], NONE);
export const stopGradient = (x: Value): Value => new Value("stopGradient", [x], NONE);
/** x, to be computed after some other values. Their gradient is 0. */
export const barrier = (x: Value, after: readonly Value[]): Value =>
  after.length === 0 ? x : new Value("barrier", [x, ...after], NONE);
export const cast = (x: Value, dtype: GraphDType): Value => (x.dtype === dtype ? x : new Value("cast", [x], { dtype }));

export const add = (x: Operand, y: Operand): Value => new Value("add", [like(x, y), like(y, x)], NONE);
export const sub = (x: Operand, y: Operand): Value => new Value("sub", [like(x, y), like(y, x)], NONE);
export const mul = (x: Operand, y: Operand): Value => new Value("mul", [like(x, y), like(y, x)], NONE);
export const div = (x: Operand, y: Operand): Value => new Value("div", [like(x, y), like(y, x)], NONE);
export const maximum = (x: Operand, y: Operand): Value => new Value("maximum", [like(x, y), like(y, x)], NONE);
export const minimum = (x: Operand, y: Operand): Value => new Value("minimum", [like(x, y), like(y, x)], NONE);

const comparison =
  (kind: Comparison) =>
  (x: Operand, y: Operand): Value =>
    new Value("compare", [like(x, y), like(y, x)], { kind });
export const equal: (x: Operand, y: Operand) => Value = comparison("equal");
export const less: (x: Operand, y: Operand) => Value = comparison("less");
export const lessEqual: (x: Operand, y: Operand) => Value = comparison("lessEqual");

/** x where the condition holds, else y. */
export const where = (condition: Value, x: Operand, y: Operand): Value =>
  new Value("where", [condition, like(x, y), like(y, x)], NONE);

/** The same elements in another shape; one size may be −1. */
export function reshape(x: Value, shape: Shape): Value {
  const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const full = shape.map((d) => (d === -1 ? size(x.shape) / known : d));
  return sameShape(full, x.shape) ? x : new Value("reshape", [x], { shape: full });
}

export function permute(x: Value, perm: readonly number[]): Value {
  return perm.every((p, i) => p === i) && perm.length === x.shape.length
    ? x
    : new Value("permute", [x], { perm: [...perm] });
}

/** Swaps the last two axes. */
export function swapLast(x: Value): Value {
  const perm = x.shape.map((_, i) => i);
  perm.push(perm.splice(-2, 1)[0]!);
  return permute(x, perm);
}

export const broadcastTo = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : new Value("broadcastTo", [x], { shape: [...shape] });

const axisOf = (x: Value, axis: number): number => (axis < 0 ? axis + x.shape.length : axis);
const axesOf = (x: Value, axes: readonly number[] | undefined): number[] =>
  (axes ?? x.shape.map((_, i) => i)).map((a) => axisOf(x, a));

/** Elements start..end (exclusive; negative counts from the end) of one axis. */
export function slice(x: Value, axis: number, start: number, end: number = x.shape[axisOf(x, axis)]!): Value {
  const a = axisOf(x, axis);
  const n = x.shape[a]!;
  const [from, to] = [start < 0 ? n + start : start, end < 0 ? n + end : end];
  if (from === 0 && to === n) return x;
  return new Value("slice", [x], {
    starts: x.shape.map((_, i) => (i === a ? from : 0)),
    ends: x.shape.map((d, i) => (i === a ? to : d)),
  });
}

export function pad(x: Value, before: readonly number[], after: readonly number[]): Value {
  return [...before, ...after].every((n) => n === 0)
    ? x
    : new Value("pad", [x], { before: [...before], after: [...after] });
}

export function concat(values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0]! : new Value("concat", [...values], { axis: axisOf(values[0]!, axis) });
}

interface Reduce {
  /** Reduced axes stay with size 1. */
  keep?: boolean;
}

/** Sum over some axes, or all. */
export function sum(x: Value, axes?: readonly number[], { keep = false }: Reduce = {}): Value {
  const list = axesOf(x, axes);
  return list.length === 0 ? x : new Value("sum", [x], { axes: list, keep });
}

export function mean(x: Value, axes?: readonly number[], options: Reduce = {}): Value {
  const count = axesOf(x, axes).reduce((n, a) => n * x.shape[a]!, 1);
  return mul(sum(x, axes, options), 1 / count);
}

export function reduceMax(x: Value, axes?: readonly number[], { keep = false }: Reduce = {}): Value {
  return new Value("reduceMax", [x], { axes: axesOf(x, axes), keep });
}

export const argmax = (x: Value, axis: number): Value => new Value("argmax", [x], { axis: axisOf(x, axis) });

interface Transposes {
  transposeA?: boolean;
  transposeB?: boolean;
}

/** (…, M, K) × (…, K, N) → (…, M, N). A matrix on the right of a batch is one big product of all rows. */
export function matmul(a: Value, b: Value, { transposeA = false, transposeB = false }: Transposes = {}): Value {
  if (b.shape.length === 2 && a.shape.length > 2 && !transposeA) {
    const rows = reshape(a, [-1, a.shape.at(-1)!]);
    const y = new Value("matmul", [rows, b], { transposeA, transposeB });
    return reshape(y, [...a.shape.slice(0, -1), y.shape[1]!]);
  }
  return new Value("matmul", [a, b], { transposeA, transposeB });
}

export const softmax = (x: Value, axis = -1): Value => new Value("softmax", [x], { axis: axisOf(x, axis) });
export const logSoftmax = (x: Value, axis = -1): Value => new Value("logSoftmax", [x], { axis: axisOf(x, axis) });

/** (x − mean)/√(variance + eps)·weight + bias over the last axis (Ba et al., arXiv:1607.06450). */
export const layerNorm = (x: Value, weight: Value, bias: Value, eps: number): Value =>
  new Value("layerNorm", [x, weight, bias], { eps });
export const layerNormMean = (x: Value): Value => new Value("layerNormMean", [x], NONE);
export const layerNormInvStd = (x: Value, eps: number): Value => new Value("layerNormInvStd", [x], { eps });

/** x with `axis` replaced by the axes of `indices` (whole numbers, 0 ≤ i < size of the axis). */
export const gather = (x: Value, indices: Value, axis = 0): Value =>
  new Value("gather", [x, indices], { axis: axisOf(x, axis) });

/** Zeros (rows, …) with every update added at its index along axis 0. */
export const scatterAdd = (updates: Value, indices: Value, rows: number): Value =>
  new Value("scatterAdd", [updates, indices], { size: rows });

/** x (B, C, H, W), weight (O, C / groups, kh, kw) → (B, O, H', W'), cross-correlation as in every deep-learning library. */
export const conv2d = (
  x: Value,
  weight: Value,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Partial<ConvWindow> = {},
): Value => new Value("conv2d", [x, weight], { stride, padding, dilation, groups });
/** The largest of each window; stride = kernel unless said. */
export const maxPool2d = (
  x: Value,
  kernel: number,
  { stride = kernel, padding = 0 }: Partial<Omit<PoolWindow, "kernel">> = {},
): Value => new Value("maxPool2d", [x], { kernel, stride, padding });
export const upsample2d = (x: Value, factor: number): Value => new Value("upsample2d", [x], { factor });

/** Joins axis 0 of all workers, differentiably: its gradient is reduceScatter. */
export const allGather = (x: Value, workers: number): Value =>
  workers === 1 ? x : new Value("allGather", [x], { workers });
export const reduceScatter = (x: Value, workers: number): Value =>
  workers === 1 ? x : new Value("reduceScatter", [x], { workers });
export const allReduce = (x: Value, workers: number): Value =>
  workers === 1 ? x : new Value("allReduce", [x], { workers });

/** Sums a value that was broadcast back to a shape: the transpose of broadcasting. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  if (lead < 0) throw new ShapeError(`sumTo: ${formatShape(x.shape)} is smaller than ${formatShape(shape)}`);
  const axes = x.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  return reshape(sum(x, axes), shape);
}
