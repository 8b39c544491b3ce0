/**
 * Reverse-mode differentiation: one rule for each primitive, written with the same builders as models, so that gradients
 * are graphs and can be differentiated again. Rules follow Griewank & Walther, "Evaluating Derivatives", ch. 3.
 */
import { ShapeError } from "../errors.ts";
import { formatShape, isFloat, type Shape } from "../tensor/index.ts";
import { topological } from "./graph.ts";
import {
  add,
  allReduce,
  broadcastTo,
  cast,
  constant,
  conv2d,
  div,
  equal,
  erf,
  exp,
  gather,
  layerNormInvStd,
  layerNormMean,
  lessEqual,
  matmul,
  mul,
  neg,
  permute,
  reshape,
  scatterAdd,
  sign,
  sub,
  sum,
  sumTo,
  where,
} from "./ops.ts";
import type { Attrs, Op } from "./primitives.ts";
import { recomputation } from "./recompute.ts";
import { scoped, Value } from "./value.ts";

/** Gradients of the operands, from the node, its attributes and the gradient of its result. `null`: no gradient. */
type Vjp<P extends Op> = (node: Value, attrs: Attrs[P], g: Value) => readonly (Value | null)[];

const none = (node: Value): null[] => node.inputs.map(() => null);

/** Undoes a reduction: puts the reduced axes back with size 1, then broadcasts. */
function spread(g: Value, shape: Shape, axes: readonly number[]): Value {
  return broadcastTo(unreduce(g, shape, axes), shape);
}

const unreduce = (g: Value, shape: Shape, axes: readonly number[]): Value =>
  reshape(
    g,
    shape.map((d, i) => (axes.includes(i) ? 1 : d)),
  );

/** Standardised x: (x − mean)·invStd. */
const standardised = (x: Value, eps: number): Value => mul(sub(x, layerNormMean(x)), layerNormInvStd(x, eps));

const meanLast = (x: Value): Value => mul(sum(x, [-1], { keep: true }), 1 / x.shape.at(-1)!);

/** Gradient of layerNorm with respect to x; `gw` is the gradient times the weight. */
function layerNormInputGrad(x: Value, gw: Value, eps: number): Value {
  const xhat = standardised(x, eps);
  const centred = sub(gw, add(mul(xhat, meanLast(mul(gw, xhat))), meanLast(gw)));
  return mul(centred, layerNormInvStd(x, eps));
}

function matmulGrad(a: Value, b: Value, { transposeA: tA, transposeB: tB }: Attrs["matmul"], g: Value): Value[] {
  const da = tA ? matmul(b, g, { transposeA: tB, transposeB: true }) : matmul(g, b, { transposeB: !tB });
  const db = tB ? matmul(g, a, { transposeA: true, transposeB: tA }) : matmul(a, g, { transposeA: !tA });
  return [sumTo(da, a.shape), sumTo(db, b.shape)];
}

/** Gradients of a product's operands, in their dtype: the product's own is float32 where they are bfloat16. */
const inDType = (operand: Value, g: Value, grads: (g: Value) => readonly Value[]): Value[] =>
  grads(cast(g, operand.dtype)).map((d) => cast(d, operand.dtype));

function gatherGrad(x: Value, indices: Value, axis: number, g: Value): Value {
  const k = indices.shape.length;
  const rank = g.shape.length;
  const moved = [...Array(k).keys()].map((i) => axis + i);
  const rest = [...Array(rank).keys()].filter((i) => !moved.includes(i));
  const summed = scatterAdd(permute(g, [...moved, ...rest]), indices, x.shape[axis]!); // axis first, then the rest
  const back = x.shape.map((_, i) => (i === axis ? 0 : i < axis ? i + 1 : i));
  return permute(summed, back);
}

/** The rule of every primitive. Leaving a row out does not compile. */
export const vjp: { readonly [P in Op]: Vjp<P> } = {
  input: none,
  constant: none,

  neg: (_, __, g) => [neg(g)],
  exp: (y, _, g) => [mul(g, y)],
  log: ({ inputs: [x] }, _, g) => [div(g, x!)],
  sqrt: (y, _, g) => [div(mul(g, 0.5), y)],
  erf: ({ inputs: [x] }, _, g) => [mul(g, mul(exp(neg(mul(x!, x!))), 2 / Math.sqrt(Math.PI)))],
  tanh: (y, _, g) => [mul(g, sub(1, mul(y, y)))],
  sigmoid: (y, _, g) => [mul(g, mul(y, sub(1, y)))],
  abs: ({ inputs: [x] }, _, g) => [mul(g, sign(x!))],
  sign: none,
  relu: ({ inputs: [x] }, _, g) => [where(lessEqual(x!, 0), 0, g)],
  gelu: ({ inputs: [x] }, _, g) => {
    const density = mul(exp(mul(mul(x!, x!), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    const cumulative = add(mul(erf(mul(x!, Math.SQRT1_2)), 0.5), 0.5);
    return [mul(g, add(mul(x!, density), cumulative))];
  },
  stopGradient: none,
  cast: ({ inputs: [x] }, _, g) => [isFloat(x!.dtype) && isFloat(g.dtype) ? cast(g, x!.dtype) : null],

  add: ({ inputs: [x, y] }, _, g) => [sumTo(g, x!.shape), sumTo(g, y!.shape)],
  sub: ({ inputs: [x, y] }, _, g) => [sumTo(g, x!.shape), neg(sumTo(g, y!.shape))],
  mul: ({ inputs: [x, y] }, _, g) => [sumTo(mul(g, y!), x!.shape), sumTo(mul(g, x!), y!.shape)],
  div: (z, _, g) => {
    const [x, y] = z.inputs as [Value, Value];
    const gx = div(g, y);
    return [sumTo(gx, x.shape), neg(sumTo(mul(gx, z), y.shape))];
  },
  maximum: ({ inputs: [x, y] }, _, g) => choose(lessEqual(y!, x!), x!, y!, g),
  minimum: ({ inputs: [x, y] }, _, g) => choose(lessEqual(x!, y!), x!, y!, g),
  compare: none,
  where: ({ inputs: [condition, x, y] }, _, g) => [null, ...choose(condition!, x!, y!, g)],

  barrier: ({ inputs: [, ...after] }, _, g) => [g, ...after.map(() => null)],

  reshape: ({ inputs: [x] }, _, g) => [reshape(g, x!.shape)],
  permute: (_, { perm }, g) => [
    permute(
      g,
      perm.map((__, i) => perm.indexOf(i)),
    ),
  ],
  broadcastTo: ({ inputs: [x] }, _, g) => [sumTo(g, x!.shape)],
  slice: ({ inputs: [x] }, { starts, ends }, g) => [
    new Value("pad", [g], { before: starts, after: x!.shape.map((d, i) => d - ends[i]!) }),
  ],
  pad: ({ inputs: [x] }, { before }, g) => [
    new Value("slice", [g], { starts: before, ends: x!.shape.map((d, i) => before[i]! + d) }),
  ],
  concat: ({ inputs }, { axis }, g) => {
    let start = 0;
    return inputs.map((x) => {
      const starts = g.shape.map((_, i) => (i === axis ? start : 0));
      start += x.shape[axis]!;
      return new Value("slice", [g], { starts, ends: g.shape.map((d, i) => (i === axis ? start : d)) });
    });
  },

  sum: ({ inputs: [x] }, { axes }, g) => [spread(g, x!.shape, axes)],
  reduceMax: (y, { axes }, g) => {
    const x = y.inputs[0]!;
    const hit = cast(equal(x, unreduce(y, x.shape, axes)), x.dtype);
    return [mul(hit, div(unreduce(g, x.shape, axes), sum(hit, axes, { keep: true })))];
  },
  argmax: none,

  matmul: ({ inputs: [a, b] }, attrs, g) => inDType(a!, g, (h) => matmulGrad(a!, b!, attrs, h)),

  softmax: (y, { axis }, g) => {
    const gy = mul(g, y);
    return [sub(gy, mul(y, sum(gy, [axis], { keep: true })))];
  },
  logSoftmax: (y, { axis }, g) => [sub(g, mul(exp(y), sum(g, [axis], { keep: true })))],
  layerNorm: ({ inputs: [x, weight] }, { eps }, g) => {
    const lead = x!.shape.slice(0, -1).map((_, i) => i);
    return [layerNormInputGrad(x!, mul(g, weight!), eps), sum(mul(g, standardised(x!, eps)), lead), sum(g, lead)];
  },
  layerNormMean: ({ inputs: [x] }, _, g) => [broadcastTo(mul(g, 1 / x!.shape.at(-1)!), x!.shape)],
  layerNormInvStd: (y, { eps }, g) => {
    const x = y.inputs[0]!;
    return [mul(standardised(x, eps), mul(mul(g, mul(y, y)), -1 / x.shape.at(-1)!))];
  },

  gather: ({ inputs: [x, indices] }, { axis }, g) => [gatherGrad(x!, indices!, axis, g), null],
  scatterAdd: ({ inputs: [, indices] }, _, g) => [gather(g, indices!, 0), null],

  conv2d: ({ inputs: [x, w] }, window, g) =>
    inDType(x!, g, (h) => [
      new Value("conv2dInputGrad", [h, w!], { ...window, height: x!.shape[2]!, width: x!.shape[3]! }),
      new Value("conv2dWeightGrad", [x!, h], { ...window, kernel: w!.shape[2]! }),
    ]),
  conv2dInputGrad: ({ inputs: [y, w] }, { height: _, width: __, ...window }, g) =>
    inDType(y!, g, (h) => [
      conv2d(h, w!, window),
      new Value("conv2dWeightGrad", [h, y!], { ...window, kernel: w!.shape[2]! }),
    ]),
  conv2dWeightGrad: ({ inputs: [x, y] }, { kernel: _, ...window }, g) =>
    inDType(x!, g, (h) => [
      new Value("conv2dInputGrad", [y!, h], { ...window, height: x!.shape[2]!, width: x!.shape[3]! }),
      conv2d(x!, h, window),
    ]),
  maxPool2d: ({ inputs: [x] }, window, g) => [new Value("maxPool2dGrad", [x!, g], window)],
  maxPool2dGrad: ({ inputs: [x] }, window, g) => [null, new Value("maxPool2dTake", [x!, g], window)],
  maxPool2dTake: ({ inputs: [x] }, window, g) => [null, new Value("maxPool2dGrad", [x!, g], window)],
  upsample2d: ({ inputs: [x] }, { factor }, g) => {
    const { B, C, H, W } = x!.dims("B C H W");
    return [sum(reshape(g, [B, C, H, factor, W, factor]), [3, 5])];
  },

  allGather: (_, { workers }, g) => [new Value("reduceScatter", [g], { workers })],
  reduceScatter: (_, { workers }, g) => [new Value("allGather", [g], { workers })],
  allReduce: (_, { workers }, g) => [allReduce(g, workers)],
};

function choose(condition: Value, x: Value, y: Value, g: Value): Value[] {
  return [sumTo(where(condition, g, 0), x.shape), sumTo(where(condition, 0, g), y.shape)];
}

/** Values that depend on one of `wrt`: the only ones that need a gradient. */
function dependents(nodes: readonly Value[], wrt: readonly Value[]): Set<Value> {
  const active = new Set<Value>(wrt);
  for (const node of nodes) if (node.inputs.some((v) => active.has(v))) active.add(node);
  return active;
}

export interface GradOptions {
  /**
   * Values to keep from the forward pass, such as the states between layers; what lies between them is computed again in the
   * backward pass. Less memory for one more forward pass. Without any, everything is kept. Those that the loss does not
   * need are skipped.
   */
  readonly checkpoints?: readonly Value[];
}

/**
 * Gradients of a scalar with respect to some values, each of its value's shape; zeros where there is no path.
 * @throws ShapeError when `loss` is not a scalar.
 */
export function grad(loss: Value, wrt: readonly Value[], { checkpoints = [] }: GradOptions = {}): Value[] {
  if (loss.shape.length !== 0)
    throw new ShapeError(`grad: expected a scalar, got ${formatShape(loss.shape)}`, "sum or average it first");
  const nodes = topological([loss]);
  const active = dependents(nodes, wrt);
  const ends = new Set(wrt);
  const isInner = (v: Value): boolean => active.has(v) && !ends.has(v);
  const forward = recomputation(nodes, isInner, new Set(checkpoints));
  const gradients = new Map<Value, Value>([[loss, constant(1, loss.dtype)]]);
  for (const node of [...nodes].reverse()) {
    const arrived = gradients.get(node);
    if (!arrived || !active.has(node)) continue;
    const [g, parts] = scoped(node.scope ? `grad.${node.scope}` : "grad", () => {
      const held = forward.arrive(node, arrived);
      return [held, rule(forward.again(node, held), held)] as const;
    });
    gradients.set(node, g);
    node.inputs.forEach((operand, i) => {
      const part = parts[i];
      if (!part || !active.has(operand)) return;
      forward.leave(node, operand, part);
      const known = gradients.get(operand);
      gradients.set(operand, known ? add(known, part) : part);
    });
  }
  return wrt.map((v) => gradients.get(v) ?? broadcastTo(constant(0, v.dtype), v.shape));
}

const rule = <P extends Op>(node: Value<P>, g: Value): readonly (Value | null)[] =>
  vjp[node.op](node as Value, node.attrs, g);
