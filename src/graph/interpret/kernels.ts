/** The interpreter's rule for every primitive: from the elements of the operands to the elements of the result. */
import { EngineError } from "../../errors.ts";
import { type Shape, size, type Tensor } from "../../tensor/index.ts";
import type { Op } from "../primitives.ts";
import type { Value } from "../value.ts";
import { binary, cast, compare, unary, where } from "./elementwise.ts";
import * as images from "./images.ts";
import { gather, scatterAdd } from "./indexing.ts";
import * as layout from "./layout.ts";
import { matmul } from "./product.ts";
import * as reduce from "./reduce.ts";
import { type Data, load, type Precision, zeros } from "./storage.ts";

/** One operation of one worker. */
export interface Call<P extends Op = Op> {
  node: Value<P>;
  /** The operands' elements, and their shapes. */
  inputs: readonly Data[];
  shapes: readonly Shape[];
  /** The operands of every worker; only collectives look at them. */
  peers: readonly (readonly Data[])[];
  rank: number;
  feeds: Readonly<Record<string, Tensor>>;
  precision: Precision;
  /** Zeros for the result. */
  out: Data;
}

export type Kernel<P extends Op> = (call: Call<P>) => Data;

const one =
  (f: (out: Data, x: Data) => void) =>
  ({ inputs: [x], out }: { inputs: readonly Data[]; out: Data }): Data => {
    f(out, x!);
    return out;
  };

/** An operand repeated to the shape of the result. */
function spread({ node, inputs, shapes, precision }: Call, i: number): Data {
  const dtype = node.inputs[i]!.dtype;
  return layout.broadcast(inputs[i]!, shapes[i]!, node.shape, () => zeros(dtype, size(node.shape), precision));
}

const two =
  (f: (out: Data, x: Data, y: Data) => void) =>
  (call: Call): Data => {
    f(call.out, spread(call, 0), spread(call, 1));
    return call.out;
  };

const same = ({ inputs }: { inputs: readonly Data[] }): Data => inputs[0]!;

/** The operand of every worker. Throws EngineError when the graph was made for another number of workers. */
function all({ node, peers }: Call<"allGather" | "reduceScatter" | "allReduce">): Data[] {
  const { workers } = node.attrs;
  if (workers !== peers.length)
    throw new EngineError(
      `${node.op}: expected ${workers} workers, got ${peers.length}`,
      "give interpretWorkers one set of feeds a worker",
    );
  return peers.map(([x]) => x!);
}

function addUp(parts: readonly Data[], start: number, out: Data): Data {
  for (let i = 0; i < out.length; i++) out[i] = parts.reduce((total, x) => total + x[start + i]!, 0);
  return out;
}

/** One row a primitive. */
export const kernels: { readonly [P in Op]: Kernel<P> } = {
  input: ({ node, feeds, precision }) => load(feeds[node.attrs.name]!, node.dtype, precision),
  constant: ({ node, precision }) => load(node.attrs.value, node.dtype, precision),

  neg: one(unary.neg),
  exp: one(unary.exp),
  log: one(unary.log),
  sqrt: one(unary.sqrt),
  erf: one(unary.erf),
  tanh: one(unary.tanh),
  sigmoid: one(unary.sigmoid),
  abs: one(unary.abs),
  sign: one(unary.sign),
  relu: one(unary.relu),
  gelu: one(unary.gelu),
  stopGradient: same,
  cast: one(cast),

  add: two(binary.add),
  sub: two(binary.sub),
  mul: two(binary.mul),
  div: two(binary.div),
  maximum: two(binary.maximum),
  minimum: two(binary.minimum),
  compare: (call) => two(compare[call.node.attrs.kind])(call),
  where: (call) => {
    where(call.out, spread(call, 0), spread(call, 1), spread(call, 2));
    return call.out;
  },

  barrier: same,

  reshape: same,
  permute: ({ node, inputs, shapes, out }) => layout.permute(inputs[0]!, shapes[0]!, node.attrs.perm, out),
  broadcastTo: (call) => spread(call, 0),
  slice: ({ node, inputs, shapes, out }) => layout.slice(inputs[0]!, shapes[0]!, node.attrs.starts, node.shape, out),
  pad: ({ node, inputs, shapes, out }) => layout.pad(inputs[0]!, shapes[0]!, node.attrs.before, node.shape, out),
  concat: ({ node, inputs, shapes, out }) => layout.concat(inputs, shapes, node.attrs.axis, node.shape, out),

  sum: ({ node, inputs, shapes, out }) => reduce.sum(inputs[0]!, shapes[0]!, node.attrs.axes, out),
  reduceMax: ({ node, inputs, shapes, out }) => reduce.reduceMax(inputs[0]!, shapes[0]!, node.attrs.axes, out),
  argmax: ({ node, inputs, shapes, out }) => reduce.argmax(inputs[0]!, shapes[0]!, node.attrs.axis, out),

  matmul: ({ node, inputs: [a, b], shapes, out }) => {
    const { transposeA, transposeB } = node.attrs;
    const left = { data: a!, shape: shapes[0]!, transpose: transposeA };
    return matmul(left, { data: b!, shape: shapes[1]!, transpose: transposeB }, node.shape, out);
  },

  softmax: ({ node, inputs, shapes, out }) => reduce.softmax(inputs[0]!, shapes[0]!, node.attrs.axis, out),
  logSoftmax: ({ node, inputs, shapes, out }) => reduce.logSoftmax(inputs[0]!, shapes[0]!, node.attrs.axis, out),
  layerNorm: ({ node, inputs: [x, weight, bias], out }) => reduce.layerNorm(x!, weight!, bias!, node.attrs.eps, out),
  layerNormMean: ({ inputs: [x], shapes: [shape], out }) => {
    const n = shape!.at(-1)!;
    for (let i = 0; i < out.length; i++) out[i] = reduce.moments(x!, i * n, n).mean;
    return out;
  },
  layerNormInvStd: ({ node, inputs: [x], shapes: [shape], out }) => {
    const n = shape!.at(-1)!;
    for (let i = 0; i < out.length; i++) out[i] = 1 / Math.sqrt(reduce.moments(x!, i * n, n).variance + node.attrs.eps);
    return out;
  },

  gather: ({ node, inputs, shapes, out }) => gather(inputs[0]!, shapes[0]!, node.attrs.axis, inputs[1]!, out),
  scatterAdd: ({ node, inputs, out }) => scatterAdd(inputs[0]!, inputs[1]!, node.attrs.size, out),

  conv2d: ({ node, inputs, shapes, out }) => {
    const [x, weight] = shapes as [Shape, Shape];
    return images.conv2d(inputs[0]!, inputs[1]!, { x, weight, y: node.shape, ...node.attrs }, out);
  },
  conv2dInputGrad: ({ node, inputs, shapes, out }) => {
    const [y, weight] = shapes as [Shape, Shape];
    return images.conv2dInputGrad(inputs[0]!, inputs[1]!, { x: node.shape, weight, y, ...node.attrs }, out);
  },
  conv2dWeightGrad: ({ node, inputs, shapes, out }) => {
    const [x, y] = shapes as [Shape, Shape];
    return images.conv2dWeightGrad(inputs[0]!, inputs[1]!, { x, weight: node.shape, y, ...node.attrs }, out);
  },
  maxPool2d: ({ node, inputs, shapes, out }) => images.maxPool2d(inputs[0]!, shapes[0]!, node.attrs, out),
  maxPool2dGrad: ({ node, inputs, shapes, out }) =>
    images.maxPool2dGrad(inputs[0]!, shapes[0]!, inputs[1]!, node.attrs, out),
  maxPool2dTake: ({ node, inputs, shapes, out }) =>
    images.maxPool2dTake(inputs[0]!, shapes[0]!, inputs[1]!, node.attrs, out),
  upsample2d: ({ node, inputs, shapes, out }) => images.upsample2d(inputs[0]!, shapes[0]!, node.attrs.factor, out),

  allGather: (call) => {
    all(call).forEach((x, i) => {
      call.out.set(x, i * x.length);
    });
    return call.out;
  },
  reduceScatter: (call) => addUp(all(call), call.rank * call.out.length, call.out),
  allReduce: (call) => addUp(all(call), 0, call.out),
};
