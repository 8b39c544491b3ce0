/** Decides which state tensors a step may overwrite where they lie, instead of writing beside them and swapping. */
import type { Op, Value } from "../../graph/index.ts";
import { sameShape } from "../../tensor/index.ts";

/**
 * What a primitive does with the memory of its operands. `view`: the engine may give the result the operand's memory, or read
 * the operand later in its place (on one worker the collectives are the operand itself). `elementwise`: a new value that may
 * be written over an operand of its own shape. `copy`: a new value beside its operands; that a reduction over no axis or a
 * concatenation of one value is its operand does not matter, as the passes leave none.
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

/** For each value, as bits: which uses have happened once it is computed. */
function usesBefore(nodes: readonly Value[], uses: readonly Use[]): Map<Value, Uint32Array> {
  const words = Math.ceil(uses.length / 32);
  const own = new Map<Value, number[]>();
  for (const [i, { consumer }] of uses.entries()) own.set(consumer, [...(own.get(consumer) ?? []), i]);
  const before = new Map<Value, Uint32Array>();
  for (const node of nodes) {
    const bits = new Uint32Array(words);
    for (const operand of node.inputs) {
      const from = before.get(operand)!;
      for (let w = 0; w < words; w++) bits[w] = bits[w]! | from[w]!;
    }
    for (const i of own.get(node) ?? []) bits[i >>> 5] = bits[i >>> 5]! | (1 << (i & 31));
    before.set(node, bits);
  }
  return before;
}

/**
 * Names of the state tensors that may be overwritten in place: every reader of the old value has run before the operator
 * that writes the new one, or is that operator and works element by element.
 */
export function inPlaceUpdates(nodes: readonly Value[], updates: Readonly<Record<string, Value>>): Set<string> {
  const uses: Use[] = [];
  const shown = new Map<Value, string>(); // the state whose memory a value may show
  for (const node of nodes) {
    if (node.op === "input" && Object.hasOwn(updates, (node as Value<"input">).attrs.name))
      shown.set(node, (node as Value<"input">).attrs.name);
    for (const operand of new Set(node.inputs)) {
      const state = shown.get(operand);
      if (state === undefined) continue;
      uses.push({ state, consumer: node, view: operand.op !== "input" });
      if (MEMORY[node.op] === "view") shown.set(node, state);
    }
  }
  const before = usesBefore(nodes, uses);
  const safe = new Set(Object.keys(updates));
  for (const [i, { state, consumer, view }] of uses.entries()) {
    const next = updates[state]!;
    const done = (before.get(next)![i >>> 5]! & (1 << (i & 31))) !== 0;
    const itself = consumer === next;
    if (itself && view) safe.delete(state);
    if (!done || (itself && !(MEMORY[next.op] === "elementwise" && next.inputs.every((v) => fits(v, next)))))
      safe.delete(state);
  }
  return safe;
}

/** Operands of the writing operator are either scalars-by-broadcast of other tensors or of the full shape. */
const fits = (operand: Value, result: Value): boolean =>
  operand.op !== "input" || sameShape(operand.shape, result.shape) || operand.shape.length === 0;
