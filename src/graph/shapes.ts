/** The shape rule of every primitive: from operands and attributes to the shape and dtype of the result, or a typed error. */
import { DTypeError, ShapeError } from "../errors.ts";
import { formatShape, isFloat, type Shape, sameShape, size } from "../tensor/index.ts";
import type { Attrs, ConvWindow, GraphDType, Op, PoolWindow } from "./primitives.ts";
import type { Value } from "./value.ts";

export interface ValueType {
  readonly shape: Shape;
  readonly dtype: GraphDType;
}

type Infer<P extends Op> = (inputs: readonly Value[], attrs: Attrs[P]) => ValueType;

/** NumPy broadcasting of shapes. */
export function broadcastShapes(where: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let result = 1;
    for (const s of shapes) {
      const d = s[i - rank + s.length] ?? 1;
      if (d === 1 || d === result) continue;
      if (result !== 1)
        throw new ShapeError(`${where}: cannot broadcast ${shapes.map(formatShape).join(" with ")} (axis ${i - rank})`);
      result = d;
    }
    return result;
  });
}

function needFloat(op: Op, ...values: readonly Value[]): void {
  for (const v of values)
    if (!isFloat(v.dtype)) throw new DTypeError(`${op}: expected a float operand, got ${v}`, "cast it first");
}

function needNumbers(op: Op, v: Value): void {
  if (v.dtype === "bool") throw new DTypeError(`${op}: expected numbers, got ${v}`, "cast it first");
}

function needSameDType(op: Op, ...values: readonly Value[]): void {
  for (const v of values)
    if (v.dtype !== values[0]!.dtype)
      throw new DTypeError(`${op}: expected operands of one dtype, got ${values.map((x) => x.dtype).join(" and ")}`);
}

function needRank(op: Op, v: Value, rank: number, letters: string): void {
  if (v.shape.length !== rank)
    throw new ShapeError(`${op}: expected ${rank} axes (${letters}), got ${formatShape(v.shape)}`);
}

function needAxis(op: Op, v: Value, axis: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= v.shape.length)
    throw new ShapeError(`${op}: axis ${axis} does not exist in ${formatShape(v.shape)}`);
}

/** Nothing has no first maximum and no mean. */
function needElements(op: Op, v: Value, axis: number): void {
  if (v.shape[axis] === 0) throw new ShapeError(`${op}: axis ${axis} of ${formatShape(v.shape)} has no elements`);
}

const unary =
  (op: Op): ((inputs: readonly Value[]) => ValueType) =>
  (inputs) => {
    needFloat(op, inputs[0]!);
    return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype };
  };

const binary =
  (op: Op): ((inputs: readonly Value[]) => ValueType) =>
  (inputs) => {
    needSameDType(op, ...inputs);
    needNumbers(op, inputs[0]!);
    return { shape: broadcastShapes(op, [inputs[0]!.shape, inputs[1]!.shape]), dtype: inputs[0]!.dtype };
  };

function reduced(op: Op, x: Value, axes: readonly number[], keep: boolean): Shape {
  for (const axis of axes) needAxis(op, x, axis);
  if (new Set(axes).size !== axes.length) throw new ShapeError(`${op}: axes ${axes.join(", ")} repeat`);
  return keep ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d)) : x.shape.filter((_, i) => !axes.includes(i));
}

/** A number for each line of the last axis. */
function statistic(op: Op, x: Value): ValueType {
  needFloat(op, x);
  needAxis(op, x, x.shape.length - 1);
  needElements(op, x, x.shape.length - 1);
  return { shape: [...x.shape.slice(0, -1), 1], dtype: x.dtype };
}

/** Two float tensors of four axes. */
function needImages(op: Op, x: Value, y: Value, letters: readonly [string, string]): void {
  needFloat(op, x, y);
  needSameDType(op, x, y);
  needRank(op, x, 4, letters[0]);
  needRank(op, y, 4, letters[1]);
}

/** What products are added up in. */
const accumulated = ({ dtype }: Value): GraphDType => (dtype === "bfloat16" ? "float32" : dtype);

/** Size of a convolution's result along one axis. */
const convSize = (n: number, kernel: number, { stride, padding, dilation = 1 }: Size): number =>
  Math.floor((n + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;

interface Size {
  readonly stride: number;
  readonly padding: number;
  readonly dilation?: number;
}

function convShape(x: Shape, w: Shape, window: ConvWindow): Shape {
  const { padding, groups } = window;
  if (x[1] !== w[1]! * groups)
    throw new ShapeError(
      `conv2d: x ${formatShape(x)} has ${x[1]} channels, weight ${formatShape(w)} takes ${w[1]! * groups}`,
    );
  if (w[0]! % groups) throw new ShapeError(`conv2d: weight ${formatShape(w)} does not divide into ${groups} groups`);
  const [h, v] = [convSize(x[2]!, w[2]!, window), convSize(x[3]!, w[3]!, window)];
  if (h < 1 || v < 1)
    throw new ShapeError(`conv2d: weight ${formatShape(w)} is larger than x ${formatShape(x)} padded by ${padding}`);
  return [x[0]!, w[0]!, h, v];
}

function pooled(op: Op, x: Value, window: PoolWindow): Shape {
  needRank(op, x, 4, "B C H W");
  const { kernel, stride, padding } = window;
  const [b, c, h, w] = x.shape as [number, number, number, number];
  if (stride === kernel && padding === 0 && (h % kernel || w % kernel))
    throw new ShapeError(`${op}: ${formatShape(x.shape)} is not a multiple of ${kernel}`);
  if (2 * padding > kernel)
    throw new ShapeError(`${op}: padding ${padding} is more than half of a window of ${kernel}`);
  if (h + 2 * padding < kernel || w + 2 * padding < kernel)
    throw new ShapeError(`${op}: a window of ${kernel} is larger than ${formatShape(x.shape)} padded by ${padding}`);
  return [b, c, convSize(h, kernel, window), convSize(w, kernel, window)];
}

function needShape(op: Op, what: string, v: Value, shape: Shape): void {
  if (!sameShape(v.shape, shape))
    throw new ShapeError(`${op}: ${what}: expected ${formatShape(shape)}, got ${formatShape(v.shape)}`);
}

/** One row a primitive. The number of operands is right already (arity.ts). */
export const infer: { readonly [P in Op]: Infer<P> } = {
  input: (_, { shape, dtype }) => ({ shape, dtype }),
  constant: (_, { value, dtype }) => {
    if (value.dtype !== dtype && !(value.dtype === "float64" && (dtype === "float32" || dtype === "bfloat16")))
      throw new DTypeError(`constant: expected ${dtype} (or float64 for float32 and bfloat16), got ${value.dtype}`);
    return { shape: value.shape, dtype };
  },

  neg: unary("neg"),
  exp: unary("exp"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  erf: unary("erf"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  abs: unary("abs"),
  sign: unary("sign"),
  relu: unary("relu"),
  gelu: unary("gelu"),
  stopGradient: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  cast: ([x], { dtype }) => ({ shape: x!.shape, dtype }),

  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: (inputs) => {
    needFloat("div", ...inputs);
    return binary("div")(inputs);
  },
  maximum: binary("maximum"),
  minimum: binary("minimum"),
  compare: (inputs) => ({ shape: binary("compare")(inputs).shape, dtype: "bool" }),
  where: (inputs) => {
    const [condition, x, y] = inputs as [Value, Value, Value];
    if (condition.dtype !== "bool") throw new DTypeError(`where: expected a bool condition, got ${condition}`);
    needSameDType("where", x, y);
    return { shape: broadcastShapes("where", [condition.shape, x.shape, y.shape]), dtype: x.dtype };
  },

  barrier: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),

  reshape: ([x], { shape }) => {
    if (size(shape) !== size(x!.shape) || shape.some((d) => d < 0))
      throw new ShapeError(
        `reshape: ${formatShape(x!.shape)} has ${size(x!.shape)} elements, ${formatShape(shape)} has ${size(shape)}`,
      );
    return { shape, dtype: x!.dtype };
  },
  permute: ([x], { perm }) => {
    if (perm.length !== x!.shape.length || perm.some((_, i) => !perm.includes(i)))
      throw new ShapeError(`permute: ${formatShape(perm)} does not reorder the axes of ${formatShape(x!.shape)}`);
    return { shape: perm.map((i) => x!.shape[i]!), dtype: x!.dtype };
  },
  broadcastTo: ([x], { shape }) => {
    if (!sameShape(broadcastShapes("broadcastTo", [x!.shape, shape]), shape))
      throw new ShapeError(`broadcastTo: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    return { shape, dtype: x!.dtype };
  },
  slice: ([x], { starts, ends }) => {
    const bad = x!.shape.findIndex((d, i) => !(0 <= starts[i]! && starts[i]! <= ends[i]! && ends[i]! <= d));
    if (bad >= 0 || starts.length !== x!.shape.length || ends.length !== x!.shape.length)
      throw new ShapeError(`slice: ${formatShape(starts)} to ${formatShape(ends)} leaves ${formatShape(x!.shape)}`);
    return { shape: x!.shape.map((_, i) => ends[i]! - starts[i]!), dtype: x!.dtype };
  },
  pad: ([x], { before, after }) => {
    if (
      before.length !== x!.shape.length ||
      after.length !== x!.shape.length ||
      [...before, ...after].some((n) => n < 0)
    )
      throw new ShapeError(
        `pad: expected ${x!.shape.length} sizes >= 0 on each side, got ${formatShape(before)} and ${formatShape(after)}`,
      );
    return { shape: x!.shape.map((d, i) => before[i]! + d + after[i]!), dtype: x!.dtype };
  },
  concat: (inputs, { axis }) => {
    const first = inputs[0]!;
    needAxis("concat", first, axis);
    needSameDType("concat", ...inputs);
    const free = (s: Shape): string => s.map((d, i) => (i === axis ? "*" : d)).join();
    for (const v of inputs)
      if (free(v.shape) !== free(first.shape))
        throw new ShapeError(
          `concat: ${inputs.map((x) => formatShape(x.shape)).join(", ")} differ outside axis ${axis}`,
        );
    const total = inputs.reduce((n, v) => n + v.shape[axis]!, 0);
    return { shape: first.shape.map((d, i) => (i === axis ? total : d)), dtype: first.dtype };
  },

  sum: ([x], { axes, keep }) => {
    needNumbers("sum", x!);
    return { shape: reduced("sum", x!, axes, keep), dtype: x!.dtype };
  },
  reduceMax: ([x], { axes, keep }) => ({ shape: reduced("reduceMax", x!, axes, keep), dtype: x!.dtype }),
  argmax: ([x], { axis }) => {
    needElements("argmax", x!, axis);
    return { shape: reduced("argmax", x!, [axis], false), dtype: "int32" };
  },

  matmul: (inputs, { transposeA, transposeB }) => {
    const [a, b] = inputs as [Value, Value];
    needFloat("matmul", a, b);
    needSameDType("matmul", a, b);
    if (a.shape.length < 2 || b.shape.length < 2)
      throw new ShapeError(
        `matmul: expected at least 2 axes each, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
      );
    const [m, k] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
    const [k2, n] = transposeB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
    if (k !== k2)
      throw new ShapeError(
        `matmul: inner sizes differ: ${formatShape(a.shape)}${transposeA ? "ᵀ" : ""} × ${formatShape(b.shape)}${transposeB ? "ᵀ" : ""}`,
      );
    return {
      shape: [...broadcastShapes("matmul", [a.shape.slice(0, -2), b.shape.slice(0, -2)]), m, n],
      dtype: accumulated(a),
    };
  },

  softmax: (inputs, { axis }) => {
    needAxis("softmax", inputs[0]!, axis);
    return unary("softmax")(inputs);
  },
  logSoftmax: (inputs, { axis }) => {
    needAxis("logSoftmax", inputs[0]!, axis);
    return unary("logSoftmax")(inputs);
  },
  layerNorm: (inputs) => {
    const [x, weight, bias] = inputs as [Value, Value, Value];
    needFloat("layerNorm", x, weight, bias);
    needSameDType("layerNorm", x, weight, bias);
    needAxis("layerNorm", x, x.shape.length - 1);
    needElements("layerNorm", x, x.shape.length - 1);
    needShape("layerNorm", "weight", weight, [x.shape.at(-1)!]);
    needShape("layerNorm", "bias", bias, [x.shape.at(-1)!]);
    return { shape: x.shape, dtype: x.dtype };
  },
  layerNormMean: ([x]) => statistic("layerNormMean", x!),
  layerNormInvStd: ([x]) => statistic("layerNormInvStd", x!),

  gather: (inputs, { axis }) => {
    const [x, indices] = inputs as [Value, Value];
    needAxis("gather", x, axis);
    if (isFloat(indices.dtype) || indices.dtype === "bool")
      throw new DTypeError(`gather: expected whole-number indices, got ${indices}`);
    return { shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], dtype: x.dtype };
  },
  scatterAdd: (inputs, { size: rows }) => {
    const [updates, indices] = inputs as [Value, Value];
    needFloat("scatterAdd", updates);
    if (isFloat(indices.dtype) || indices.dtype === "bool")
      throw new DTypeError(`scatterAdd: expected whole-number indices, got ${indices}`);
    const lead = updates.shape.slice(0, indices.shape.length);
    if (!sameShape(lead, indices.shape))
      throw new ShapeError(
        `scatterAdd: updates ${formatShape(updates.shape)} do not begin with the axes of indices ${formatShape(indices.shape)}`,
      );
    return { shape: [rows, ...updates.shape.slice(indices.shape.length)], dtype: updates.dtype };
  },

  conv2d: (inputs, window) => {
    const [x, w] = inputs as [Value, Value];
    needImages("conv2d", x, w, ["B C H W", "O C kh kw"]);
    return { shape: convShape(x.shape, w.shape, window), dtype: accumulated(x) };
  },
  conv2dInputGrad: (inputs, { height, width, ...window }) => {
    const [g, w] = inputs as [Value, Value];
    needImages("conv2dInputGrad", g, w, ["B O H W", "O C kh kw"]);
    const shape = [g.shape[0]!, w.shape[1]! * window.groups, height, width];
    needShape("conv2dInputGrad", "g", g, convShape(shape, w.shape, window));
    return { shape, dtype: accumulated(g) };
  },
  conv2dWeightGrad: (inputs, { kernel, ...window }) => {
    const [x, g] = inputs as [Value, Value];
    needImages("conv2dWeightGrad", x, g, ["B C H W", "B O H W"]);
    if (x.shape[1]! % window.groups)
      throw new ShapeError(`conv2dWeightGrad: x ${formatShape(x.shape)} does not divide into ${window.groups} groups`);
    const shape = [g.shape[1]!, x.shape[1]! / window.groups, kernel, kernel];
    needShape("conv2dWeightGrad", "g", g, convShape(x.shape, shape, window));
    return { shape, dtype: accumulated(g) };
  },
  maxPool2d: ([x], window) => {
    needFloat("maxPool2d", x!);
    return { shape: pooled("maxPool2d", x!, window), dtype: x!.dtype };
  },
  maxPool2dGrad: ([x, g], window) => {
    needImages("maxPool2dGrad", x!, g!, ["B C H W", "B C H W"]);
    needShape("maxPool2dGrad", "g", g!, pooled("maxPool2dGrad", x!, window));
    return { shape: x!.shape, dtype: x!.dtype };
  },
  maxPool2dTake: ([x, y], window) => {
    needImages("maxPool2dTake", x!, y!, ["B C H W", "B C H W"]);
    needShape("maxPool2dTake", "y", y!, x!.shape);
    return { shape: pooled("maxPool2dTake", x!, window), dtype: x!.dtype };
  },
  upsample2d: ([x], { factor }) => {
    needRank("upsample2d", x!, 4, "B C H W");
    const [b, c, h, w] = x!.shape as [number, number, number, number];
    return { shape: [b, c, h * factor, w * factor], dtype: x!.dtype };
  },

  allGather: ([x], { workers }) => ({ shape: [x!.shape[0]! * workers, ...x!.shape.slice(1)], dtype: x!.dtype }),
  reduceScatter: ([x], { workers }) => {
    if (x!.shape[0]! % workers)
      throw new ShapeError(`reduceScatter: ${formatShape(x!.shape)} does not divide among ${workers} workers`);
    return { shape: [x!.shape[0]! / workers, ...x!.shape.slice(1)], dtype: x!.dtype };
  },
  allReduce: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
};
