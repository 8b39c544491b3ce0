/** Decides which state tensors a step may overwrite where they lie, instead of writing beside them and swapping. */
import type { Op, Value } from "../../graph/index.ts";
import { sameShape } from "../../tensor/index.ts";

const ELEMENTWISE: ReadonlySet<Op> = new Set<Op>(["add", "sub", "mul", "div", "maximum", "minimum", "where", "neg"]);

/** An engine may give the result of these the memory of their operand, or read the operand later in their place. */
const VIEWS: ReadonlySet<Op> = new Set<Op>(["reshape", "permute", "broadcastTo", "slice", "stopGradient", "cast"]);

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
      if (VIEWS.has(node.op)) shown.set(node, state);
    }
  }
  const before = usesBefore(nodes, uses);
  const safe = new Set(Object.keys(updates));
  for (const [i, { state, consumer, view }] of uses.entries()) {
    const next = updates[state]!;
    const done = (before.get(next)![i >>> 5]! & (1 << (i & 31))) !== 0;
    const itself = consumer === next;
    if (itself && view) safe.delete(state);
    if (!done || (itself && !(ELEMENTWISE.has(next.op) && next.inputs.every((v) => fits(v, next))))) safe.delete(state);
  }
  return safe;
}

/** Operands of the writing operator are either scalars-by-broadcast of other tensors or of the full shape. */
const fits = (operand: Value, result: Value): boolean =>
  operand.op !== "input" || sameShape(operand.shape, result.shape) || operand.shape.length === 0;
