/**
 * Precision: which operations read bfloat16 (Micikevicius et al., arXiv:1710.03740; for bfloat16 Kalamkar et al.,
 * arXiv:1905.12322). Products and convolutions do; they are added up in float32, and everything else is computed in float32:
 * parameters, moments, reductions, softmax, norms and losses stay what they are. So do products that serve an argmax alone: rounded, the
 * codebook would give other words for a picture than it gives in float32, the commonest above all, and every target with them.
 */
import { size } from "../../tensor/index.ts";
import { type Graph, graph, withInputs } from "../graph.ts";
import { cast } from "../ops.ts";
import type { Op } from "../primitives.ts";
import { scoped, type Value } from "../value.ts";

/**
 * `low`: reads bfloat16. `full`: reads float32. `follow`: moves elements without computing, in the precision of whoever reads
 * them, or of who made them.
 */
type Class = "low" | "full" | "follow";

/** One row a primitive. */
const CLASSES: { readonly [P in Op]: Class } = {
  input: "full",
  constant: "full",
  neg: "full",
  exp: "full",
  log: "full",
  sqrt: "full",
  erf: "full",
  tanh: "full",
  sigmoid: "full",
  abs: "full",
  sign: "full",
  relu: "full",
  gelu: "full",
  stopGradient: "follow",
  cast: "full",
  add: "full",
  sub: "full",
  mul: "full",
  div: "full",
  maximum: "full",
  minimum: "full",
  compare: "full",
  where: "full",
  barrier: "full",
  reshape: "follow",
  permute: "follow",
  broadcastTo: "follow",
  slice: "follow",
  pad: "follow",
  concat: "follow",
  sum: "full",
  reduceMax: "full",
  argmax: "full",
  matmul: "low",
  softmax: "full",
  logSoftmax: "full",
  layerNorm: "full",
  layerNormMean: "full",
  layerNormInvStd: "full",
  gather: "follow",
  scatterAdd: "full",
  conv2d: "low",
  conv2dInputGrad: "low",
  conv2dWeightGrad: "low",
  maxPool2d: "follow",
  maxPool2dGrad: "full",
  maxPool2dTake: "full",
  upsample2d: "follow",
  allGather: "full",
  reduceScatter: "full",
  allReduce: "full",
};

export interface PrecisionOptions {
  /**
   * What the results of products are kept in. "float32" (default): as they were added up. "bfloat16": rounded once more, for
   * half of the memory and its traffic, as PyTorch's autocast does.
   */
  readonly results?: "float32" | "bfloat16";
}

type Level = "low" | "full";
const isFloat32 = (v: Value): boolean => v.dtype === "float32";

/** Puts products and convolutions in bfloat16: casts before them, and none where two would cancel. */
export function precision(g: Graph, { results = "float32" }: PrecisionOptions = {}): Graph {
  const kind = classes(g);
  const rounded = made(g, kind, results);
  const asked = demands(g, kind, rounded);
  const full = new Map<Value, Value>();
  const low = new Map<Value, Value>();
  const get = (v: Value, level: Level): Value =>
    level === "low" && isFloat32(v) ? once(low, v, () => cast(full.get(v)!, "bfloat16")) : full.get(v)!;
  for (const v of g.nodes)
    scoped(v.scope, () => {
      const level = reads(v, kind, rounded, asked.get(v) ?? new Set());
      const value = withInputs(
        v,
        v.inputs.map((x) => get(x, level)),
      );
      const own = kind(v) === "low" && rounded.has(v) ? cast(value, "bfloat16") : value;
      if (own.dtype === "bfloat16") low.set(v, own);
      full.set(v, own.dtype === v.dtype ? own : cast(own, v.dtype));
    });
  return graph(g.name, Object.fromEntries(Object.entries(g.outputs).map(([name, v]) => [name, full.get(v)!])));
}

function once(known: Map<Value, Value>, v: Value, make: () => Value): Value {
  const value = known.get(v) ?? make();
  known.set(v, value);
  return value;
}

type Kind = (v: Value) => Class;

/** The class of each value: that of its operation, but for what serves an argmax alone. */
function classes(g: Graph): Kind {
  const counts = new Set(Object.values(g.outputs));
  for (const v of g.nodes.toReversed()) if (counts.has(v) && v.op !== "argmax") for (const x of v.inputs) counts.add(x);
  return (v) => (CLASSES[v.op] === "low" && !counts.has(v) ? "full" : CLASSES[v.op]);
}

/** Values that exist in bfloat16 anyway: rounded products, and what only moves their elements. */
function made(g: Graph, kind: Kind, results: "float32" | "bfloat16"): Set<Value> {
  const rounded = new Set<Value>();
  for (const v of g.nodes) {
    if (!isFloat32(v)) continue;
    const moved = kind(v) === "follow" && v.inputs.filter(isFloat32).every((x) => rounded.has(x));
    if (moved || (kind(v) === "low" && results === "bfloat16")) rounded.add(v);
  }
  return rounded;
}

/** How a value reads its operands. What makes less of them is cast afterwards. */
function reads(v: Value, kind: Kind, rounded: ReadonlySet<Value>, asked: ReadonlySet<Level>): Level {
  const own = kind(v);
  if (own !== "follow") return own;
  if (rounded.has(v)) return "low";
  const grows = size(v.shape) >= v.inputs.filter(isFloat32).reduce((n, x) => n + size(x.shape), 0);
  return grows && asked.has("low") && !asked.has("full") ? "low" : "full";
}

/** In which precisions each value is read, or is a result. */
function demands(g: Graph, kind: Kind, rounded: ReadonlySet<Value>): Map<Value, Set<Level>> {
  const asked = new Map<Value, Set<Level>>(g.nodes.map((v) => [v, new Set()]));
  for (const v of Object.values(g.outputs)) asked.get(v)!.add("full");
  for (const v of g.nodes.toReversed())
    for (const x of v.inputs) asked.get(x)!.add(reads(v, kind, rounded, asked.get(v)!));
  return asked;
}
