/** How many operands each primitive takes; checked where a value is made, before its shape rule looks at them. */
import { ShapeError } from "../errors.ts";
import type { Op } from "./primitives.ts";

interface AtLeast {
  readonly atLeast: number;
}

/** One row a primitive. */
const arity: { readonly [P in Op]: number | AtLeast } = {
  input: 0,
  constant: 0,

  neg: 1,
  exp: 1,
  log: 1,
  sqrt: 1,
  erf: 1,
  tanh: 1,
  sigmoid: 1,
  abs: 1,
  sign: 1,
  relu: 1,
  gelu: 1,
  stopGradient: 1,
  cast: 1,

  add: 2,
  sub: 2,
  mul: 2,
  div: 2,
  maximum: 2,
  minimum: 2,
  compare: 2,
  where: 3,

  barrier: { atLeast: 2 },

  reshape: 1,
  permute: 1,
  broadcastTo: 1,
  slice: 1,
  pad: 1,
  concat: { atLeast: 1 },

  sum: 1,
  reduceMax: 1,
  argmax: 1,

  matmul: 2,

  softmax: 1,
  logSoftmax: 1,
  layerNorm: 3,
  layerNormMean: 1,
  layerNormInvStd: 1,

  gather: 2,
  scatterAdd: 2,

  conv2d: 2,
  conv2dInputGrad: 2,
  conv2dWeightGrad: 2,
  maxPool2d: 1,
  maxPool2dGrad: 2,
  maxPool2dTake: 2,
  upsample2d: 1,

  allGather: 1,
  reduceScatter: 1,
  allReduce: 1,
};

/** Throws ShapeError for a wrong number of operands. */
export function checkArity(op: Op, count: number): void {
  const expected = arity[op];
  const fits = typeof expected === "number" ? count === expected : count >= expected.atLeast;
  if (fits) return;
  const wanted = typeof expected === "number" ? expected : `at least ${expected.atLeast}`;
  throw new ShapeError(`${op}: expected ${wanted} operand${wanted === 1 ? "" : "s"}, got ${count}`);
}
