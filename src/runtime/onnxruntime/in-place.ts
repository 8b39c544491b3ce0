/** Decides which state tensors a step may overwrite where they lie, instead of writing beside them and swapping. */
import type { Graph, Op, Value } from "../../graph/index.ts";
import type { Lowered } from "../../lower/onnx/index.ts";
import { sameShape } from "../../tensor/index.ts";

/**
 * What a primitive does with the memory of its operands. `view`: the engine may give the result the operand's memory, or read
 * the operand later in its place (on one worker the collectives are the operand itself). `elementwise`: a new value that may
 * be written over an operand of its own shape. `copy`: a new value beside its operands, as is everything that a fusion makes;
 * that a reduction over no axis or a concatenation of one value is its operand does not matter, as the passes leave none.
 */
const MEMORY: { readonly [P in Op]: "view" | "elementwise" | "copy" } = {
  input: "copy",
  constant: "copy",
  neg: "elementwise",
  exp: "copy",
  log: "copy",
  sqrt: "copy",
  erf: "copy",
  tanh: "copy",
  sigmoid: "copy",
  abs: "copy",
  sign: "copy",
  relu: "copy",
  gelu: "copy",
  stopGradient: "view",
  cast: "view",
  add: "elementwise",
  sub: "elementwise",
  mul: "elementwise",
  div: "elementwise",
  maximum: "elementwise",
  minimum: "elementwise",
  compare: "copy",
  where: "elementwise",
  barrier: "copy",
  reshape: "view",
  permute: "view",
  broadcastTo: "view",
  slice: "view",
  pad: "copy",
  concat: "copy",
  sum: "copy",
  reduceMax: "copy",
  argmax: "copy",
  matmul: "copy",
  softmax: "copy",
  logSoftmax: "copy",
  layerNorm: "copy",
  layerNormMean: "copy",
  layerNormInvStd: "copy",
  gather: "copy",
  scatterAdd: "copy",
  conv2d: "copy",
  conv2dInputGrad: "copy",
  conv2dWeightGrad: "copy",
  maxPool2d: "copy",
  maxPool2dGrad: "copy",
  maxPool2dTake: "copy",
  upsample2d: "copy",
  allGather: "view",
  reduceScatter: "view",
  allReduce: "view",
};

/** One consumer of one state tensor. */
interface Use {
  readonly state: string;
  readonly consumer: Value;
  /** Whether it reads a view, in another order or shape, instead of the tensor itself. */
  readonly view: boolean;
}

type Made = Lowered["made"];

/** For each value, as bits: which uses have happened once it is computed. */
function usesBefore(made: Made, uses: readonly Use[]): Map<Value, Uint32Array> {
  const words = Math.ceil(uses.length / 32);
  const own = new Map<Value, number[]>();
  for (const [i, { consumer }] of uses.entries()) own.set(consumer, [...(own.get(consumer) ?? []), i]);
  const before = new Map<Value, Uint32Array>();
  for (const [node, operands] of made) {
    const bits = new Uint32Array(words);
    for (const operand of operands) {
      const from = before.get(operand)!;
      for (let w = 0; w < words; w++) bits[w] = bits[w]! | from[w]!;
    }
    for (const i of own.get(node) ?? []) bits[i >>> 5] = bits[i >>> 5]! | (1 << (i & 31));
    before.set(node, bits);
  }
  return before;
}

/** Who reads which state, and which values may show its memory. */
function readers(made: Made, states: ReadonlySet<string>): { uses: Use[]; shown: Map<Value, string> } {
  const uses: Use[] = [];
  const shown = new Map<Value, string>();
  for (const [node, operands] of made) {
    if (isInput(node) && states.has(node.attrs.name)) shown.set(node, node.attrs.name);
    for (const operand of new Set(operands)) {
      const state = shown.get(operand);
      if (state === undefined) continue;
      uses.push({ state, consumer: node, view: operand.op !== "input" });
      if (workOf(node, made) === "view") shown.set(node, state);
    }
  }
  return { uses, shown };
}

const isInput = (v: Value): v is Value<"input"> => v.op === "input";

const workOf = (v: Value, made: Made): (typeof MEMORY)[Op] => (made.get(v) === v.inputs ? MEMORY[v.op] : "copy");

/**
 * Names of the state tensors that may be overwritten in place. Every reader of the old value, as the graph was lowered, must
 * have run before the operator that writes the new one, or be that operator, working element by element; and no result may
 * show the old value. `updates`: state → the output that is its next value.
 */
export function inPlaceUpdates(g: Graph, updates: Readonly<Record<string, string>>, made: Made): Set<string> {
  const safe = new Set(Object.keys(updates));
  const { uses, shown } = readers(made, safe);
  const before = usesBefore(made, uses);
  for (const [i, { state, consumer, view }] of uses.entries()) {
    const next = g.outputs[updates[state]!]!;
    const done = (before.get(next)![i >>> 5]! & (1 << (i & 31))) !== 0;
    const elementwise = workOf(next, made) === "elementwise" && next.inputs.every((v) => fits(v, next));
    if (!done || (consumer === next && (view || !elementwise)) || mayJoin(consumer, next)) safe.delete(state);
  }
  for (const value of Object.values(g.outputs)) safe.delete(shown.get(value) ?? "");
  return safe;
}

/** Whether the engine may make one operator of a product and what is added to it (its MatMulAddFusion). */
const mayJoin = (product: Value, next: Value): boolean =>
  next.op === "add" && product.op === "matmul" && next.inputs.some((v) => behindViews(v) === product);

const behindViews = (v: Value): Value => (MEMORY[v.op] === "view" ? behindViews(v.inputs[0]!) : v);

/** Operands of the writing operator are either scalars-by-broadcast of other tensors or of the full shape. */
const fits = (operand: Value, result: Value): boolean =>
  operand.op !== "input" || sameShape(operand.shape, result.shape) || operand.shape.length === 0;
