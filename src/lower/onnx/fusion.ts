/** Fusions: patterns of several primitives that the engine runs faster as one node, and the plan that applies them. */
import type { Graph, Value } from "../../graph/index.ts";
import type { Emitter } from "./emitter.ts";
import { rules } from "./rules/index.ts";

/** How one value will be made: from which operands, by which nodes. */
export interface Step {
  readonly operands: readonly Value[];
  emit(e: Emitter, inputs: readonly string[]): string;
}

/** What a pattern may ask about the graph around a value. */
export interface Around {
  /** How many operands and graph outputs a value is. */
  uses(v: Value): number;
  /** The values that have `v` as an operand. */
  users(v: Value): readonly Value[];
}

export type FusionName =
  | "gemmBias"
  | "transposedProduct"
  | "gemm"
  | "fusedMatMul"
  | "layerNormStats"
  | "geluGradient"
  | "softmaxGradient"
  | "sumSquare"
  | "pointwiseWeightGradient";

export interface Fusion {
  readonly name: FusionName;
  /** The fused way to make `value`, or undefined where the pattern does not apply. */
  match(value: Value, around: Around): Step | undefined;
}

/**
 * Decides how each needed value is made. It starts from the results, so that a value inside a fused pattern is made only if
 * somebody else needs it. The steps come in an order in which they can be emitted.
 */
export function plan(g: Graph, fusions: readonly Fusion[]): Map<Value, Step> {
  const around = surroundings(g);
  const done = new Map<Value, Step>();
  const open = new Map<Value, Step>();
  const stack = Object.values(g.outputs).reverse();
  while (stack.length > 0) {
    const value = stack[stack.length - 1]!;
    const step = open.get(value);
    if (step || done.has(value)) {
      stack.pop();
      if (step && !done.has(value)) done.set(value, step);
      continue;
    }
    const chosen = firstMatch(value, fusions, around) ?? plain(value);
    open.set(value, chosen);
    for (const operand of chosen.operands.toReversed()) if (!open.has(operand)) stack.push(operand);
  }
  return done;
}

function firstMatch(value: Value, fusions: readonly Fusion[], around: Around): Step | undefined {
  for (const fusion of fusions) {
    const step = fusion.match(value, around);
    if (step) return step;
  }
  return undefined;
}

const plain = (value: Value): Step => ({
  operands: value.inputs,
  emit: (e, inputs) =>
    (rules[value.op] as (typeof rules)["add"])(e, value as Value<"add">, inputs, value.attrs as never),
});

function surroundings(g: Graph): Around {
  const users = new Map<Value, Value[]>(g.nodes.map((v) => [v, []]));
  for (const v of g.nodes) for (const operand of v.inputs) users.get(operand)!.push(v);
  const results = new Map<Value, number>();
  for (const v of Object.values(g.outputs)) results.set(v, (results.get(v) ?? 0) + 1);
  return {
    uses: (v) => users.get(v)!.length + (results.get(v) ?? 0),
    users: (v) => users.get(v)!,
  };
}
