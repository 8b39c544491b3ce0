/**
 * A step in two graphs: what products need, which is everything up to the gradients, and what is made of it with state that no product
 * reads, which is the optimizer with its moments. The second may be written in place, whatever order the engine of the first works in.
 */
import { type Graph, graph, input, type Op, topological, type Value, withInputs } from "../../../graph/index.ts";

/** The two graphs of a step. */
export interface Split {
  readonly front: Graph;
  /** Undefined where no state is private to an optimizer. */
  readonly back: Graph | undefined;
  /** Outputs of `front` that are inputs of `back`. */
  readonly between: readonly string[];
}

const PRODUCTS: ReadonlySet<Op> = new Set(["matmul", "conv2d", "conv2dInputGrad", "conv2dWeightGrad"]);

/** Splits a step; `state` are the names of inputs that it replaces. */
export function splitStep(g: Graph, state: Iterable<string>): Split {
  const needed = new Set(topological(g.nodes.filter(({ op }) => PRODUCTS.has(op))));
  const inBack = new Set<Value>();
  for (const name of state) {
    const own = g.inputs[name];
    if (own && !needed.has(own)) inBack.add(own);
  }
  for (const node of g.nodes) if (node.inputs.some((v) => inBack.has(v))) inBack.add(node);
  const [before, after] = [true, false].map((first) =>
    Object.fromEntries(Object.entries(g.outputs).filter(([, v]) => inBack.has(v) !== first)),
  ) as [Record<string, Value>, Record<string, Value>];
  if (Object.keys(after).length === 0) return { front: g, back: undefined, between: [] };
  const { rebuilt, crossing } = rebuild(g, inBack);
  const between = Object.fromEntries([...crossing].map(([value, name]) => [name, value]));
  return {
    front: graph(g.name, { ...before, ...between }),
    back: graph(
      `${g.name}.update`,
      mapValues(after, (v) => rebuilt.get(v)!),
    ),
    between: Object.keys(between),
  };
}

/** The values of the second graph, on inputs that stand for values of the first. */
function rebuild(g: Graph, inBack: ReadonlySet<Value>): { rebuilt: Map<Value, Value>; crossing: Map<Value, string> } {
  const rebuilt = new Map<Value, Value>();
  const crossing = new Map<Value, string>();
  const read = (v: Value): Value => {
    const known = rebuilt.get(v);
    if (known) return known;
    if (v.op === "input" || v.op === "constant") return v;
    const name = `between:${crossing.size}`;
    const stands = input(name, v.shape, v.dtype);
    crossing.set(v, name);
    rebuilt.set(v, stands);
    return stands;
  };
  for (const node of g.nodes) if (inBack.has(node)) rebuilt.set(node, withInputs(node, node.inputs.map(read)));
  return { rebuilt, crossing };
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
