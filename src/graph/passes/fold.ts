/** Folding: computes what is constant, and applies algebraic identities. */
import { size } from "../../tensor/index.ts";
import { type Graph, graph, isOp, rewrite, withInputs } from "../graph.ts";
import { interpret } from "../interpret/index.ts";
import { constant } from "../ops.ts";
import type { Op } from "../primitives.ts";
import { scoped, type Value } from "../value.ts";
import { simplify } from "./identities.ts";

/** Larger constants are left to be computed: a graph is sent to engines, and should stay small. */
const MAX_ELEMENTS = 1024;

/**
 * Collectives depend on the other workers; a repeated constant is best left to the operation that uses it; and a cut out of a constant may
 * be as long as an axis that is left open: one constant at each length would be another graph.
 */
const NOT_COMPUTED: ReadonlySet<Op> = new Set<Op>(["allGather", "reduceScatter", "allReduce", "broadcastTo", "slice"]);

/** The value of an operation on constants, computed in float64. */
function compute(v: Value): Value | undefined {
  const all = v.inputs.length > 0 && v.inputs.every((x) => isOp(x, "constant"));
  if (!all || NOT_COMPUTED.has(v.op) || size(v.shape) > MAX_ELEMENTS) return undefined;
  const { y } = interpret(graph("fold", { y: v }), {});
  return constant(y!, v.dtype);
}

/** Rules lead to each other only a few times: reshape of reshape, then nothing left to reshape. */
const MAX_STEPS = 16;

function simplest(v: Value): Value {
  for (let step = 0; step < MAX_STEPS; step++) {
    const next = compute(v) ?? simplify(v);
    if (!next) return v;
    v = next;
  }
  return v;
}

/**
 * Computes operations on small constants and applies identities (x·1, x + 0, double negation, reshapes of reshapes, …).
 * Results stay equal up to rounding.
 */
export function fold(g: Graph): Graph {
  return rewrite(g, (value, inputs) => scoped(value.scope, () => simplest(withInputs(value, inputs))));
}
