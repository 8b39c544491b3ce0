/** Example values of every primitive, with odd shapes and edge cases: what the lowering is compared on. */
import {
  abs,
  add,
  argmax,
  barrier,
  broadcastTo,
  type ConvWindow,
  cast,
  concat,
  constant,
  conv2d,
  div,
  equal,
  erf,
  exp,
  type GraphDType,
  gather,
  gelu,
  input,
  layerNorm,
  layerNormInvStd,
  layerNormMean,
  less,
  lessEqual,
  log,
  logSoftmax,
  matmul,
  maximum,
  maxPool2d,
  minimum,
  mul,
  neg,
  type Op,
  type PoolWindow,
  pad,
  permute,
  reduceMax,
  relu,
  reshape,
  scatterAdd,
  sigmoid,
  sign,
  slice,
  softmax,
  sqrt,
  stopGradient,
  sub,
  sum,
  tanh,
  upsample2d,
  Value,
  where,
} from "../../src/graph/index.ts";
import { fromNumbers, random, size, type Tensor } from "../../src/tensor/index.ts";

/** Numbers for an input: normal floats; whole numbers below the number after "/" in the name, or in −3..3; random bools. */
export function sample(v: Value<"input">, seed: number): Tensor {
  const { name, shape, dtype } = v.attrs;
  if (dtype === "bfloat16") throw new Error(`${name}: bfloat16 is never fed`);
  const rng = random(seed, name);
  const [, below, ties] = /\/(\d+)?(ties)?/.exec(name) ?? [];
  const draw: Record<Exclude<GraphDType, "bfloat16">, () => number> = {
    float32: () => (ties ? rng.integer(3) - 1 : name.startsWith("positive") ? rng.uniform() + 0.1 : rng.normal()),
    float64: () => rng.normal(),
    int32: () => (below ? rng.integer(Number(below)) : rng.integer(7) - 3),
    int64: () => (below ? rng.integer(Number(below)) : rng.integer(7) - 3),
    bool: () => rng.integer(2),
  };
  return fromNumbers(Array.from({ length: size(shape) }, draw[dtype]), shape, dtype);
}

const x = (...shape: number[]): Value => input(`x${shape}`, shape);
const y = (...shape: number[]): Value => input(`y${shape}`, shape);
const named = (name: string, shape: number[], dtype: GraphDType = "float32"): Value =>
  input(`${name}:${dtype}${shape}`, shape, dtype);
const int = (name: string, dtype: "int32" | "int64", ...shape: number[]): Value => named(name, shape, dtype);
const unary = (f: (v: Value) => Value): Value[] => [f(x(3, 5)), f(x()), f(x(2, 1, 70))];
const positive = (f: (v: Value) => Value): Value[] => [f(input("positive", [4, 3]))];
const floats = (f: (a: Value, b: Value) => Value): Value[] => [
  f(x(2, 3, 4), y(3, 1)),
  f(x(), y(5)),
  f(x(7, 1), y(1, 6)),
];
const numbers = (f: (a: Value, b: Value) => Value): Value[] => [
  ...floats(f),
  f(int("i", "int32", 2, 3), int("j", "int32", 3)),
  f(int("k", "int64", 4), int("l", "int64", 2, 1)),
];
const flags = input("flags", [3, 1], "bool");
const image = (h: number, w: number, c = 3): Value => x(2, c, h, w);

/** Convolutions of all sizes that differ in how the windows fill the picture. */
const convolutions: readonly [h: number, w: number, kernel: number, window: ConvWindow][] = [
  [8, 8, 4, { stride: 4, padding: 0, dilation: 1, groups: 1 }],
  [7, 9, 3, { stride: 1, padding: 1, dilation: 1, groups: 1 }],
  [8, 11, 3, { stride: 2, padding: 1, dilation: 1, groups: 1 }],
  [9, 6, 3, { stride: 2, padding: 0, dilation: 1, groups: 1 }],
  [5, 5, 1, { stride: 1, padding: 0, dilation: 1, groups: 1 }],
  [7, 7, 2, { stride: 3, padding: 0, dilation: 1, groups: 1 }],
  [10, 9, 4, { stride: 4, padding: 1, dilation: 1, groups: 1 }],
  [9, 8, 3, { stride: 1, padding: 2, dilation: 2, groups: 1 }],
  [9, 10, 3, { stride: 2, padding: 1, dilation: 2, groups: 1 }],
  [8, 7, 3, { stride: 2, padding: 1, dilation: 1, groups: 6 }],
  [6, 5, 1, { stride: 1, padding: 0, dilation: 1, groups: 2 }],
  [8, 9, 2, { stride: 1, padding: 1, dilation: 3, groups: 3 }],
];

/** A picture and a weight: two results a group, and the picture's 3 or 6 channels divided among the groups. */
const operands = (h: number, w: number, kernel: number, { groups }: ConvWindow): [Value, Value] => {
  const channels = groups === 1 ? 3 : 6;
  return [image(h, w, channels), y(groups === 1 ? 5 : 2 * groups, channels / groups, kernel, kernel)];
};

/** Windows side by side, then those that overlap, are padded, or leave gaps. */
const poolings: readonly [picture: Value, window: PoolWindow][] = [
  [image(4, 6), { kernel: 2, stride: 2, padding: 0 }],
  [named("z/ties", [2, 3, 6, 6]), { kernel: 3, stride: 3, padding: 0 }],
  [named("z/ties", [1, 80, 8, 8]), { kernel: 2, stride: 2, padding: 0 }],
  [image(8, 7), { kernel: 3, stride: 2, padding: 1 }],
  [named("z/ties", [2, 2, 7, 6]), { kernel: 3, stride: 1, padding: 0 }],
  [named("z/ties", [1, 3, 9, 7]), { kernel: 2, stride: 3, padding: 1 }],
];

/** Values of each primitive; a primitive without a row does not compile. */
export const cases: { readonly [P in Op]: () => readonly Value[] } = {
  input: () => [x(2, 3), int("i", "int64", 3), flags],
  constant: () => [
    constant(fromNumbers([1, -0, Number.POSITIVE_INFINITY], [3])),
    constant(fromNumbers([3, -4], [2, 1], "int64")),
    constant(fromNumbers([1, 0], [2], "bool")),
    constant(2 ** 31 - 1, "int32"),
  ],
  neg: () => unary(neg),
  exp: () => unary(exp),
  log: () => positive(log),
  sqrt: () => positive(sqrt),
  erf: () => unary(erf),
  tanh: () => unary(tanh),
  sigmoid: () => unary(sigmoid),
  abs: () => unary(abs),
  sign: () => [...unary(sign), sign(named("z/ties", [20]))],
  relu: () => unary(relu),
  gelu: () => unary(gelu),
  stopGradient: () => [...unary(stopGradient), stopGradient(flags)],
  barrier: () => [barrier(x(2, 3), [x(4), flags]), barrier(flags, [x(2, 3)]), barrier(x(), [int("i", "int32", 3)])],
  cast: () => [
    cast(flags, "float32"),
    cast(flags, "int32"),
    cast(flags, "int64"),
    cast(cast(x(30), "bfloat16"), "float32"),
    cast(x(30), "int32"),
    cast(x(30), "int64"),
    cast(named("z/ties", [20]), "bool"),
    cast(int("i", "int32", 5), "float32"),
    cast(int("i", "int32", 5), "int64"),
    cast(int("k", "int64", 5), "int32"),
    cast(int("k", "int64", 5), "bool"),
  ],
  add: () => numbers(add),
  sub: () => numbers(sub),
  mul: () => numbers(mul),
  div: () => floats(div),
  maximum: () => numbers(maximum),
  minimum: () => numbers(minimum),
  compare: () => [equal, less, lessEqual].flatMap((f) => [...numbers(f), f(named("z/ties", [20]), 0)]),
  where: () => [
    where(flags, x(3, 4), y(4)),
    where(flags, x(1, 4), 0),
    where(flags, int("i", "int32", 3, 2), int("j", "int32", 1)),
    where(flags, int("k", "int64", 3, 2), 7),
    where(flags, input("p", [3, 2], "bool"), input("q", [3, 2], "bool")),
  ],
  reshape: () => [reshape(x(2, 6), [3, 4]), reshape(x(1, 1), []), reshape(x(4), [2, 1, 2]), reshape(flags, [3])],
  permute: () => [
    permute(x(2, 3, 4, 5), [0, 2, 1, 3]),
    permute(x(2, 3, 4), [2, 0, 1]),
    permute(flags, [1, 0]),
    permute(int("i", "int32", 2, 3), [1, 0]),
  ],
  broadcastTo: () => [
    broadcastTo(x(3, 1), [2, 3, 4]),
    broadcastTo(x(), [2, 2]),
    broadcastTo(flags, [3, 3]),
    broadcastTo(int("i", "int32", 1), [4]),
  ],
  slice: () => [
    slice(x(4, 5), 1, 1, 4),
    slice(x(4, 5, 2), 0, 2),
    slice(flags, 0, 1, 2),
    slice(int("i", "int32", 6), 0, 1, 3),
    new Value("slice", [x(4, 5)], { starts: [0, 0], ends: [4, 5] }),
    new Value("slice", [x(4, 5)], { starts: [1, 2], ends: [3, 5] }),
    new Value("slice", [x(4, 5)], { starts: [2, 0], ends: [2, 5] }),
  ],
  pad: () => [
    pad(x(2, 3), [0, 1], [2, 0]),
    pad(flags, [1, 0], [0, 2]),
    pad(int("i", "int32", 3), [1], [1]),
    pad(int("k", "int64", 3), [1], [1]),
  ],
  concat: () => [
    concat([x(2, 3), y(2, 1), x(2, 3)], 1),
    concat([x(2, 3), y(4, 3)], 0),
    concat([flags, input("p", [2, 1], "bool")], 0),
    concat([int("i", "int32", 3), int("j", "int32", 2)], 0),
    concat([x(2, 0), y(2, 3)], 1),
    new Value("concat", [x(2, 3)], { axis: 0 }),
  ],
  sum: () => [
    sum(x(3, 4, 5), [0, 2]),
    sum(x(3, 4, 5), [1], { keep: true }),
    sum(x(3, 4)),
    sum(int("i", "int32", 3, 2), [0]),
    sum(int("k", "int64", 3, 2), [1]),
    sum(x(40, 30), [0]),
    sum(x(2, 300, 150)),
    sum(x(300, 250), undefined, { keep: true }),
    sum(mul(x(300, 250), x(300, 250))),
    new Value("sum", [x(2, 3)], { axes: [], keep: false }),
  ],
  reduceMax: () => [
    reduceMax(x(3, 4, 5), [0, 2]),
    reduceMax(x(3, 4, 5), [1], { keep: true }),
    reduceMax(x(3, 4)),
    reduceMax(int("i", "int32", 3, 2), [0]),
    reduceMax(int("k", "int64", 3, 2), [1]),
  ],
  argmax: () => [argmax(x(3, 4, 5), 1), argmax(named("z/ties", [6, 9]), -1), argmax(int("i", "int32", 9), 0)],
  matmul: () =>
    [false, true].flatMap((transposeA) =>
      [false, true].flatMap((transposeB) => {
        const product = (lead: number[], other: number[]): Value =>
          matmul(x(...lead, ...(transposeA ? [4, 3] : [3, 4])), y(...other, ...(transposeB ? [5, 4] : [4, 5])), {
            transposeA,
            transposeB,
          });
        return [product([], []), product([2], []), product([2, 3], [2, 3]), product([2, 1], [3]), product([], [2])];
      }),
    ),
  softmax: () => [softmax(x(3, 7)), softmax(x(3, 7, 2), 1), softmax(x(5), 0)],
  logSoftmax: () => [logSoftmax(x(3, 7)), logSoftmax(x(3, 7, 2), 1)],
  layerNorm: () => [layerNorm(x(2, 3, 9), y(9), named("b", [9]), 1e-5), layerNorm(x(6), y(6), named("b", [6]), 1e-1)],
  layerNormMean: () => {
    const v = x(2, 3, 9);
    return [layerNormMean(v), layerNormMean(x(4)), add(layerNorm(v, y(9), named("b", [9]), 1e-5), layerNormMean(v))];
  },
  layerNormInvStd: () => {
    const v = x(2, 3, 9);
    const normal = layerNorm(v, y(9), named("b", [9]), 1e-5);
    return [layerNormInvStd(v, 1e-5), add(normal, layerNormInvStd(v, 1e-5)), add(normal, layerNormInvStd(v, 1e-1))];
  },
  gather: () => [
    gather(x(6, 4), int("n/6", "int32", 3), 0),
    gather(x(6, 4), int("n/4", "int64", 2, 3), 1),
    gather(x(6), int("n/6", "int64")),
    gather(int("i", "int32", 6), int("n/6", "int32", 4)),
  ],
  scatterAdd: () => [
    scatterAdd(x(9, 4), int("n/6", "int32", 9), 6),
    scatterAdd(x(2, 5, 3, 2), int("n/4", "int64", 2, 5), 4),
    scatterAdd(x(7), int("n/3", "int64", 7), 3),
    scatterAdd(x(4), int("n/3", "int32"), 3),
    scatterAdd(x(200, 33), int("n/3", "int64", 200), 3),
  ],
  conv2d: () => convolutions.map(([h, w, kernel, window]) => conv2d(...operands(h, w, kernel, window), window)),
  conv2dInputGrad: () =>
    convolutions.map(([height, width, kernel, window]) => {
      const [picture, weight] = operands(height, width, kernel, window);
      const g = x(...conv2d(picture, weight, window).shape);
      return new Value("conv2dInputGrad", [g, weight], { ...window, height, width });
    }),
  conv2dWeightGrad: () =>
    convolutions.map(([h, w, kernel, window]) => {
      const [picture, weight] = operands(h, w, kernel, window);
      return new Value("conv2dWeightGrad", [picture, y(...conv2d(picture, weight, window).shape)], {
        ...window,
        kernel,
      });
    }),
  maxPool2d: () => poolings.map(([picture, window]) => new Value("maxPool2d", [picture], window)),
  maxPool2dGrad: () =>
    poolings.map(([picture, window]) => {
      const g = y(...maxPool2d(picture, window.kernel, window).shape);
      return new Value("maxPool2dGrad", [picture, g], window);
    }),
  maxPool2dTake: () =>
    poolings.map(([picture, window]) => new Value("maxPool2dTake", [picture, y(...picture.shape)], window)),
  upsample2d: () => [upsample2d(image(3, 2), 2), upsample2d(image(3, 2), 3)],
  allGather: () => [new Value("allGather", [x(2, 3)], { workers: 1 })],
  reduceScatter: () => [new Value("reduceScatter", [x(2, 3)], { workers: 1 })],
  allReduce: () => [new Value("allReduce", [x(2, 3)], { workers: 1 })],
};
