/** Random uses of every primitive, for the generated tests: one row a primitive, so that a new one must have a generator. */
import fc from "fast-check";
import type { Attrs, GraphDType, Op, Value } from "../../src/graph/index.ts";
import * as g from "../../src/graph/index.ts";
import {
  fromNumbers,
  permutation,
  type Random,
  random,
  type Shape,
  size,
  type Tensor,
} from "../../src/tensor/index.ts";

/** One use of a primitive. Feeds have the graph's dtypes, and values that float32 holds exactly. */
export interface Case {
  readonly output: Value;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/**
 * Where values lie, so that finite differences meet no kink and no pole:
 * `any`: standard normal; `positive`: 0.3 to 2; `nonzero`: the same with either sign; `spaced`: multiples of 0.3, no two
 * equal; `between`: halfway between multiples of 0.3, so never equal to a spaced one; `small`: whole numbers −2 to 2,
 * with ties.
 */
type Kind = "any" | "positive" | "nonzero" | "spaced" | "between" | "small";

function draw(kind: Exclude<Kind, "spaced">, rng: Random): number {
  const magnitude = 0.3 + 1.7 * rng.uniform();
  if (kind === "any") return rng.normal();
  if (kind === "positive") return magnitude;
  if (kind === "nonzero") return rng.integer(2) === 0 ? magnitude : -magnitude;
  if (kind === "between") return 0.3 * (rng.integer(12) - 6) + 0.15;
  return rng.integer(5) - 2;
}

function drawAll(kind: Kind, count: number, rng: Random): number[] {
  const values =
    kind === "spaced"
      ? Array.from(permutation(count, rng), (i) => 0.3 * (i - Math.floor(count / 2)))
      : Array.from({ length: count }, () => draw(kind, rng));
  return values.map(Math.fround);
}

/** bfloat16 is never fed. */
type FeedDType = Exclude<GraphDType, "bfloat16">;

/** Collects the inputs of one case. The same seed gives the same values. */
export class Feeder {
  readonly feeds: Record<string, Tensor> = {};
  readonly #rng: Random;
  constructor(seed: number) {
    this.#rng = random(seed, "generate");
  }
  #feed(shape: Shape, dtype: FeedDType, values: readonly number[]): Value {
    const name = `in${Object.keys(this.feeds).length}`;
    this.feeds[name] = fromNumbers(values, shape, dtype);
    return g.input(name, shape, dtype);
  }
  float(shape: Shape, kind: Kind = "any"): Value {
    return this.of("float32", shape, kind);
  }
  /** Whole numbers from 0 to n − 1. */
  indices(shape: Shape, n: number, dtype: FeedDType): Value {
    const values = Array.from({ length: size(shape) }, () => this.#rng.integer(n));
    return this.#feed(shape, dtype, values);
  }
  /** Values of any dtype: small whole numbers where it is not a float. */
  of(dtype: FeedDType, shape: Shape, kind: Kind = "any"): Value {
    if (dtype === "float32" || dtype === "float64")
      return this.#feed(shape, dtype, drawAll(kind, size(shape), this.#rng));
    if (dtype === "bool") return this.indices(shape, 2, "bool");
    return this.#feed(shape, dtype, drawAll("small", size(shape), this.#rng));
  }
}

type Make<T> = (f: Feeder, choices: T) => Value;

/** A case from some random choices and a seed for the values. */
function use<T>(choices: fc.Arbitrary<T>, make: Make<T>): fc.Arbitrary<Case> {
  return fc.record({ choices, seed: fc.nat(1 << 30) }).map(({ choices: c, seed }) => {
    const feeder = new Feeder(seed);
    return { output: make(feeder, c), feeds: feeder.feeds };
  });
}

const between = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/** 0 to 4 axes of size 1 to 4. */
export const shapes = (minRank = 0, maxRank = 4): fc.Arbitrary<number[]> =>
  fc.array(between(1, 4), { minLength: minRank, maxLength: maxRank });

/** Shapes that broadcast with each other: some axes are 1, some leading axes are missing. */
export const broadcasting = (count: number): fc.Arbitrary<number[][]> =>
  shapes(0, 3).chain((full) =>
    fc.array(
      fc
        .tuple(between(0, full.length), fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }))
        .map(([drop, ones]) => full.map((d, i) => (ones[i] ? 1 : d)).slice(drop)),
      { minLength: count, maxLength: count },
    ),
  );

const dtypes: fc.Arbitrary<FeedDType> = fc.constantFrom("float32", "float32", "float32", "int32", "int64", "bool");
const numeric: fc.Arbitrary<FeedDType> = fc.constantFrom("float32", "float32", "int32", "int64");
const whole: fc.Arbitrary<FeedDType> = fc.constantFrom("int32", "int64");

const axisOf = (shape: fc.Arbitrary<number[]>): fc.Arbitrary<{ shape: number[]; axis: number }> =>
  shape.chain((s) => fc.record({ shape: fc.constant(s), axis: between(0, s.length - 1) }));

const axesOf = (shape: fc.Arbitrary<number[]>): fc.Arbitrary<{ shape: number[]; axes: number[]; keep: boolean }> =>
  shape.chain((s) =>
    fc.record({
      shape: fc.constant(s),
      axes: fc.subarray(
        s.map((_, i) => i),
        { minLength: 1 },
      ),
      keep: fc.boolean(),
    }),
  );

const unary = (op: Op, kind: Kind = "any"): fc.Arbitrary<Case> =>
  use(shapes(), (f, shape) => new g.Value(op, [f.float(shape, kind)], {}));

/** `kinds` keep the two operands apart, or away from a pole; whole numbers are any small ones. */
const binary = (op: Op, kinds: [Kind, Kind] = ["any", "any"], dtype = numeric): fc.Arbitrary<Case> =>
  use(
    fc.record({ shapes: broadcasting(2), dtype }),
    (f, { shapes: [a, b], dtype: d }) => new g.Value(op, [f.of(d, a!, kinds[0]), f.of(d, b!, kinds[1])], {}),
  );

const matmulCase: fc.Arbitrary<Case> = use(
  fc.record({
    batch: broadcasting(2),
    m: between(1, 5),
    k: between(1, 6),
    n: between(1, 6),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
  }),
  (f, { batch, m, k, n, transposeA, transposeB }) => {
    const a = f.float([...batch[0]!, ...(transposeA ? [k, m] : [m, k])]);
    const b = f.float([...batch[1]!, ...(transposeB ? [n, k] : [k, n])]);
    return new g.Value("matmul", [a, b], { transposeA, transposeB });
  },
);

interface ConvSizes {
  B: number;
  /** Channels of a group, in and out. */
  C: number;
  O: number;
  H: number;
  W: number;
  kernel: number;
  window: g.ConvWindow;
}

const convSizes: fc.Arbitrary<ConvSizes> = fc
  .record({
    s: fc.record({ B: between(1, 2), C: between(1, 3), O: between(1, 3), kernel: between(1, 3) }),
    stride: between(1, 3),
    dilation: fc.constantFrom(1, 1, 2),
    groups: fc.constantFrom(1, 1, 2, 3),
    pad: between(0, 2),
    more: fc.tuple(between(0, 3), between(0, 3)),
  })
  .map(({ s, stride, dilation, groups, pad, more: [h, w] }) => {
    const reach = (s.kernel - 1) * dilation + 1;
    const padding = Math.min(pad, s.kernel - 1);
    return { ...s, window: { stride, padding, dilation, groups }, H: reach + h, W: reach + w };
  });

const convShapes = ({ B, C, O, H, W, kernel, window: { stride, padding, dilation, groups } }: ConvSizes) => {
  const out = (n: number): number => Math.floor((n + 2 * padding - (kernel - 1) * dilation - 1) / stride) + 1;
  const [inputs, outputs] = [C * groups, O * groups];
  return { x: [B, inputs, H, W], weight: [outputs, C, kernel, kernel], y: [B, outputs, out(H), out(W)] };
};

interface Pooled {
  readonly window: g.PoolWindow;
  readonly x: number[];
  readonly y: number[];
}

/** Windows side by side. */
const besides: fc.Arbitrary<Pooled> = fc
  .record({ kernel: between(1, 3), B: between(1, 2), C: between(1, 2), h: between(1, 2), w: between(1, 3) })
  .map(({ kernel, B, C, h, w }) => ({
    window: { kernel, stride: kernel, padding: 0 },
    x: [B, C, h * kernel, w * kernel],
    y: [B, C, h, w],
  }));

/** Windows that overlap, leave gaps, or go over the edge. */
const anywhere: fc.Arbitrary<Pooled> = fc
  .record({
    kernel: between(2, 3),
    stride: between(1, 4),
    C: between(1, 2),
    more: fc.tuple(between(0, 4), between(0, 4)),
  })
  .map(({ kernel, stride, C, more: [h, w] }) => {
    const out = (n: number): number => Math.floor((n + 2 - kernel) / stride) + 1;
    const [H, W] = [kernel + h, kernel + w];
    return { window: { kernel, stride, padding: 1 }, x: [1, C, H, W], y: [1, C, out(H), out(W)] };
  });

const pooled: fc.Arbitrary<Pooled> = fc.oneof(besides, anywhere);

const oneWorker = (op: "allGather" | "reduceScatter" | "allReduce"): fc.Arbitrary<Case> =>
  use(shapes(1), (f, shape) => new g.Value(op, [f.float(shape)], { workers: 1 }));

type CastPair = [FeedDType, GraphDType];
const castPairs: readonly CastPair[] = [
  ["float32", "float64"],
  ["float32", "float64"],
  ["float32", "float64"],
  ["float64", "float32"],
  ["float64", "float32"],
  ["float32", "int32"],
  ["float32", "int64"],
  ["float32", "bool"],
  ["int32", "float32"],
  ["int32", "int64"],
  ["int64", "float32"],
  ["int64", "int32"],
  ["int64", "bool"],
  ["bool", "float32"],
  ["bool", "int32"],
];

/** Slices of at least one element. */
const sliceOf: fc.Arbitrary<{ shape: number[]; starts: number[]; ends: number[] }> = shapes(1)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      starts: fc.tuple(...shape.map((d) => between(0, d - 1))),
      lengths: fc.tuple(...shape.map((d) => between(1, d))),
    }),
  )
  .map(({ shape, starts, lengths }) => ({
    shape,
    starts,
    ends: starts.map((s, i) => Math.min(shape[i]!, s + lengths[i]!)),
  }));

const layerNormShape: fc.Arbitrary<number[]> = fc
  .tuple(shapes(0, 2), between(2, 8))
  .map(([lead, last]) => [...lead, last]);

/** One row a primitive. */
export const cases: { readonly [P in Op]: fc.Arbitrary<Case> } = {
  input: use(fc.record({ shape: shapes(), dtype: dtypes }), (f, { shape, dtype }) => f.of(dtype, shape)),
  constant: use(fc.record({ shape: shapes(), seed: fc.nat(1000) }), (_, { shape, seed }) =>
    g.constant(fromNumbers(drawAll("any", size(shape), random(seed, "constant")), shape)),
  ),

  neg: unary("neg"),
  exp: unary("exp"),
  log: unary("log", "positive"),
  sqrt: unary("sqrt", "positive"),
  erf: unary("erf"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  abs: unary("abs", "nonzero"),
  sign: unary("sign", "nonzero"),
  relu: unary("relu", "nonzero"),
  gelu: unary("gelu"),
  stopGradient: use(fc.record({ shape: shapes(), dtype: dtypes }), (f, { shape, dtype }) =>
    g.stopGradient(f.of(dtype, shape)),
  ),
  cast: use(fc.record({ shape: shapes(), pair: fc.constantFrom(...castPairs) }), (f, { shape, pair: [from, to] }) =>
    g.cast(f.of(from, shape, "between"), to),
  ),

  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div", ["any", "nonzero"], fc.constant("float32")),
  maximum: binary("maximum", ["spaced", "between"]),
  minimum: binary("minimum", ["spaced", "between"]),
  compare: use(
    fc.record({ shapes: broadcasting(2), dtype: numeric, kind: fc.constantFrom("equal", "less", "lessEqual") }),
    (f, { shapes: [a, b], dtype, kind }) =>
      new g.Value("compare", [f.of(dtype, a!, "small"), f.of(dtype, b!, "small")], {
        kind: kind as Attrs["compare"]["kind"],
      }),
  ),
  where: use(fc.record({ shapes: broadcasting(3), dtype: dtypes }), (f, { shapes: [c, a, b], dtype }) =>
    g.where(f.of("bool", c!), f.of(dtype, a!), f.of(dtype, b!)),
  ),

  barrier: use(
    fc.record({ shapes: fc.tuple(shapes(), shapes(), shapes()), dtypes: fc.tuple(dtypes, dtypes) }),
    (f, c) => g.barrier(f.of(c.dtypes[0], c.shapes[0]), [f.of(c.dtypes[1], c.shapes[1]), f.float(c.shapes[2])]),
  ),

  reshape: use(
    fc.record({ shape: shapes(), dtype: dtypes }).chain((c) =>
      fc.record({
        c: fc.constant(c),
        shape: fc.shuffledSubarray([...c.shape, 1], { minLength: c.shape.length + 1 }),
      }),
    ),
    (f, { c, shape }) => new g.Value("reshape", [f.of(c.dtype, c.shape)], { shape }),
  ),
  permute: use(
    fc.record({ shape: shapes(), dtype: dtypes }).chain((c) =>
      fc.record({
        c: fc.constant(c),
        perm: fc.shuffledSubarray(
          c.shape.map((_, i) => i),
          { minLength: c.shape.length },
        ),
      }),
    ),
    (f, { c, perm }) => new g.Value("permute", [f.of(c.dtype, c.shape)], { perm }),
  ),
  broadcastTo: use(
    fc
      .record({ shape: shapes(0, 3), lead: shapes(0, 1), dtype: dtypes })
      .chain((c) => fc.record({ c: fc.constant(c), ones: fc.tuple(...c.shape.map(() => fc.boolean())) })),
    (f, { c: { shape, lead, dtype }, ones }) =>
      g.broadcastTo(
        f.of(
          dtype,
          shape.map((d, i) => (ones[i] ? 1 : d)),
        ),
        [...lead, ...shape],
      ),
  ),
  slice: use(
    fc.record({ part: sliceOf, dtype: dtypes }),
    (f, { part: { shape, starts, ends }, dtype }) => new g.Value("slice", [f.of(dtype, shape)], { starts, ends }),
  ),
  pad: use(
    fc.record({ shape: shapes(1), dtype: dtypes, sizes: fc.array(between(0, 2), { minLength: 8, maxLength: 8 }) }),
    (f, { shape, dtype, sizes }) =>
      new g.Value("pad", [f.of(dtype, shape)], {
        before: shape.map((_, i) => sizes[i]!),
        after: shape.map((_, i) => sizes[4 + i]!),
      }),
  ),
  concat: use(
    fc.record({ at: axisOf(shapes(1)), dtype: dtypes, sizes: fc.array(between(1, 3), { minLength: 1, maxLength: 3 }) }),
    (f, { at: { shape, axis }, dtype, sizes }) =>
      new g.Value(
        "concat",
        sizes.map((n) => f.of(dtype, shape.with(axis, n))),
        { axis },
      ),
  ),

  sum: use(
    fc.record({ over: axesOf(shapes(1)), dtype: numeric }),
    (f, { over: { shape, axes, keep }, dtype }) => new g.Value("sum", [f.of(dtype, shape)], { axes, keep }),
  ),
  reduceMax: use(
    fc.record({ over: axesOf(shapes(1)), dtype: numeric }),
    (f, { over: { shape, axes, keep }, dtype }) =>
      new g.Value("reduceMax", [f.of(dtype, shape, "spaced")], { axes, keep }),
  ),
  argmax: use(fc.record({ at: axisOf(shapes(1)), dtype: numeric }), (f, { at: { shape, axis }, dtype }) =>
    g.argmax(f.of(dtype, shape, "small"), axis),
  ),

  matmul: matmulCase,

  softmax: use(axisOf(shapes(1)), (f, { shape, axis }) => g.softmax(f.float(shape), axis)),
  logSoftmax: use(axisOf(shapes(1)), (f, { shape, axis }) => g.logSoftmax(f.float(shape), axis)),
  layerNorm: use(layerNormShape, (f, shape) =>
    g.layerNorm(f.float(shape, "spaced"), f.float([shape.at(-1)!]), f.float([shape.at(-1)!]), 1e-3),
  ),
  layerNormMean: use(shapes(1), (f, shape) => g.layerNormMean(f.float(shape))),
  layerNormInvStd: use(layerNormShape, (f, shape) => g.layerNormInvStd(f.float(shape, "spaced"), 1e-3)),

  gather: use(
    fc.record({ at: axisOf(shapes(1, 3)), indices: shapes(0, 2), dtype: dtypes, ids: whole }),
    (f, { at: { shape, axis }, indices, dtype, ids }) =>
      g.gather(f.of(dtype, shape), f.indices(indices, shape[axis]!, ids), axis),
  ),
  scatterAdd: use(
    fc.record({ indices: shapes(0, 2), rest: shapes(0, 2), rows: between(1, 4), ids: whole }),
    (f, { indices, rest, rows, ids }) =>
      g.scatterAdd(f.float([...indices, ...rest]), f.indices(indices, rows, ids), rows),
  ),

  conv2d: use(convSizes, (f, s) => g.conv2d(f.float(convShapes(s).x), f.float(convShapes(s).weight), s.window)),
  conv2dInputGrad: use(convSizes, (f, s) => {
    const { y, weight } = convShapes(s);
    const attrs = { ...s.window, height: s.H, width: s.W };
    return new g.Value("conv2dInputGrad", [f.float(y), f.float(weight)], attrs);
  }),
  conv2dWeightGrad: use(convSizes, (f, s) => {
    const { x, y } = convShapes(s);
    return new g.Value("conv2dWeightGrad", [f.float(x), f.float(y)], { ...s.window, kernel: s.kernel });
  }),
  maxPool2d: use(pooled, (f, { window, x }) => new g.Value("maxPool2d", [f.float(x, "spaced")], window)),
  maxPool2dGrad: use(
    pooled,
    (f, { window, x, y }) => new g.Value("maxPool2dGrad", [f.float(x, "spaced"), f.float(y)], window),
  ),
  maxPool2dTake: use(
    pooled,
    (f, { window, x }) => new g.Value("maxPool2dTake", [f.float(x, "spaced"), f.float(x)], window),
  ),
  upsample2d: use(
    fc.record({ shape: shapes(4, 4), factor: between(1, 3) }),
    (f, { shape, factor }) => new g.Value("upsample2d", [f.float(shape)], { factor }),
  ),

  allGather: oneWorker("allGather"),
  reduceScatter: oneWorker("reduceScatter"),
  allReduce: oneWorker("allReduce"),
};
