/** What a graph costs: floating-point operations, parameters and memory, counted from shapes alone. */
import { byteSize, size } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";
import type { Attrs, Op } from "./primitives.ts";
import type { Value } from "./value.ts";

export interface OpCost {
  readonly count: number;
  readonly flops: number;
  /** Bytes of the results. */
  readonly bytes: number;
}

export interface Cost {
  /** Multiplications and additions count one each; see `flopsOf`. */
  readonly flops: number;
  readonly byOp: Readonly<Partial<Record<Op, OpCost>>>;
  /** Elements and bytes of the inputs that are parameters. */
  readonly parameters: number;
  readonly parameterBytes: number;
  /** Bytes of all computed values together. */
  readonly activationBytes: number;
  /** The most bytes of computed values alive at one time, when each is freed after its last use. Results stay, but those in place take none. */
  readonly peakBytes: number;
}

type Flops<P extends Op> = (v: Value, attrs: Attrs[P]) => number;

const none = (): number => 0;
const each = (v: Value): number => size(v.shape);
const times =
  (n: number) =>
  (v: Value): number =>
    n * size(v.shape);
const eachOperand = (v: Value): number => size(v.inputs[0]!.shape);

/** Each element of a convolution's result is a sum over the weight of one output channel. */
const convolution = (y: Value, weight: Value): number => (2 * size(y.shape) * size(weight.shape)) / weight.shape[0]!;

/**
 * Operations of each primitive. Products are exact: 2·m·n·k; elementwise ones count 1 an element, whatever the function;
 * softmax counts 5 and layer normalisation 8 an element, the usual estimates. Moving elements counts 0.
 */
const flops: { readonly [P in Op]: Flops<P> } = {
  input: none,
  constant: none,
  neg: each,
  exp: each,
  log: each,
  sqrt: each,
  erf: each,
  tanh: each,
  sigmoid: each,
  abs: each,
  sign: each,
  relu: each,
  gelu: each,
  stopGradient: none,
  cast: none,
  add: each,
  sub: each,
  mul: each,
  div: each,
  maximum: each,
  minimum: each,
  compare: each,
  where: each,
  barrier: none,
  reshape: none,
  permute: none,
  broadcastTo: none,
  slice: none,
  pad: none,
  concat: none,
  sum: eachOperand,
  reduceMax: eachOperand,
  argmax: eachOperand,
  matmul: (v, { transposeA }) => 2 * size(v.shape) * v.inputs[0]!.shape.at(transposeA ? -2 : -1)!,
  softmax: times(5),
  logSoftmax: times(5),
  layerNorm: times(8),
  layerNormMean: eachOperand,
  layerNormInvStd: (v) => 3 * eachOperand(v),
  gather: none,
  scatterAdd: eachOperand,
  conv2d: (y) => convolution(y, y.inputs[1]!),
  conv2dInputGrad: ({ inputs: [g, weight] }) => convolution(g!, weight!),
  conv2dWeightGrad: (weight) => convolution(weight.inputs[1]!, weight),
  maxPool2d: eachOperand,
  maxPool2dGrad: eachOperand,
  maxPool2dTake: eachOperand,
  upsample2d: none,
  allGather: none,
  reduceScatter: eachOperand,
  allReduce: eachOperand,
};

/** Floating-point operations of one value. */
export const flopsOf = (v: Value): number => (flops[v.op] as Flops<Op>)(v, v.attrs);

const isLeaf = (v: Value): boolean => v.op === "input" || v.op === "constant";

/** A reshape is another view of the same memory. */
const bytesOf = (v: Value): number =>
  v.op === "reshape" || v.op === "stopGradient" ? 0 : size(v.shape) * byteSize(v.dtype);

/** The value whose memory a value lives in. */
const ownerOf = (v: Value): Value => {
  while (v.op === "reshape" || v.op === "stopGradient") v = v.inputs[0]!;
  return v;
};

function peakOf(g: Graph, inPlace: (output: string) => boolean): number {
  const overwritten = new Set(Object.entries(g.outputs).flatMap(([name, v]) => (inPlace(name) ? [ownerOf(v)] : [])));
  const taken = (v: Value): number => (isLeaf(v) || overwritten.has(v) ? 0 : bytesOf(v));
  const lastUse = new Map<Value, number>();
  for (const [i, v] of g.nodes.entries()) for (const x of [v, ...v.inputs]) lastUse.set(ownerOf(x), i);
  for (const v of Object.values(g.outputs)) lastUse.set(ownerOf(v), g.nodes.length);
  let [live, peak] = [0, 0];
  for (const [i, v] of g.nodes.entries()) {
    live += taken(v);
    peak = Math.max(peak, live);
    for (const x of new Set([v, ...v.inputs].map(ownerOf))) if (lastUse.get(x) === i) live -= taken(x);
  }
  return peak;
}

/** What a graph alone does not know. */
export interface CostOptions {
  /** Which inputs are parameters; none unless said. */
  readonly isParameter?: (name: string) => boolean;
  /** Which results are written over an input that is there anyway, as the next state is; none unless said. */
  readonly inPlace?: (output: string) => boolean;
}

/** Adds up a graph. */
export function costOf(g: Graph, { isParameter = () => false, inPlace = () => false }: CostOptions = {}): Cost {
  const byOp: Partial<Record<Op, OpCost>> = {};
  for (const v of g.nodes) {
    const { count, flops: done, bytes } = byOp[v.op] ?? { count: 0, flops: 0, bytes: 0 };
    byOp[v.op] = { count: count + 1, flops: done + flopsOf(v), bytes: bytes + bytesOf(v) };
  }
  const parameters = Object.values(g.inputs).filter((v) => isParameter(v.attrs.name));
  const computed = g.nodes.filter((v) => !isLeaf(v));
  return {
    flops: computed.reduce((n, v) => n + flopsOf(v), 0),
    byOp,
    parameters: parameters.reduce((n, v) => n + size(v.shape), 0),
    parameterBytes: parameters.reduce((n, v) => n + bytesOf(v), 0),
    activationBytes: computed.reduce((n, v) => n + bytesOf(v), 0),
    peakBytes: peakOf(g, inPlace),
  };
}
