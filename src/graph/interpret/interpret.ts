/** Runs a graph in plain TypeScript: slow, exact, and independent of every engine, which is what makes it the oracle. */
import { type Feeds, size, type Tensor } from "../../tensor/index.ts";
import { checkFeeds } from "../feeds.ts";
import { type Graph, topological } from "../graph.ts";
import type { Op } from "../primitives.ts";
import type { Value } from "../value.ts";
import { type Kernel, kernels } from "./kernels.ts";
import { type Data, type Precision, roundAll, unload, zeros } from "./storage.ts";

export interface InterpretOptions {
  /** Defaults to "float64". */
  precision?: Precision;
  /** Looked at between operations. */
  signal?: AbortSignal | undefined;
}

/** Operations whose result is another array's memory, or that make their own: they need no zeros. */
const MAKES_NO_ARRAY: ReadonlySet<Op> = new Set<Op>([
  "input",
  "constant",
  "stopGradient",
  "barrier",
  "reshape",
  "broadcastTo",
]);

/** How many times each value is still needed; results are needed once more, so that they stay. */
function useCounts(nodes: readonly Value[], results: readonly Value[]): Map<Value, number> {
  const counts = new Map<Value, number>();
  const use = (v: Value): void => void counts.set(v, (counts.get(v) ?? 0) + 1);
  for (const node of nodes) node.inputs.forEach(use);
  results.forEach(use);
  return counts;
}

/** Computes every value on all workers in lockstep, and returns each worker's remaining values: the results. */
function evaluate(g: Graph, feeds: readonly Feeds[], { precision = "float64", signal }: InterpretOptions) {
  const results = Object.values(g.outputs);
  const nodes = topological(results);
  const uses = useCounts(nodes, results);
  const known = feeds.map(() => new Map<Value, Data>());
  for (const node of nodes) {
    signal?.throwIfAborted();
    const kernel = kernels[node.op] as Kernel<Op>;
    const shapes = node.inputs.map((v) => v.shape);
    const peers = known.map((values) => node.inputs.map((v) => values.get(v)!));
    peers.forEach((inputs, rank) => {
      const out = zeros(node.dtype, MAKES_NO_ARRAY.has(node.op) ? 0 : size(node.shape), precision);
      const result = kernel({ node, inputs, shapes, peers, rank, feeds: feeds[rank]!, precision, out });
      if (node.dtype === "bfloat16" && result === out) roundAll(result);
      known[rank]!.set(node, result);
    });
    for (const v of node.inputs) {
      uses.set(v, uses.get(v)! - 1);
      if (uses.get(v) === 0) for (const values of known) values.delete(v);
    }
  }
  return known;
}

/**
 * Runs a graph on one worker. With precision "float64" (the default) every float is computed in 64 bits whatever the graph
 * says, float results are float64, and feeds may be float64; with "float32" every result is rounded to float32.
 * Results may share memory with each other, never with feeds. Throws NameError, ShapeError or DTypeError for wrong feeds.
 */
export function interpret(g: Graph, feeds: Feeds, options: InterpretOptions = {}): Record<string, Tensor> {
  return interpretWorkers(g, [feeds], options)[0]!;
}

/** Runs a graph on as many workers as there are feeds, step by step together, with real collectives between them. */
export function interpretWorkers(
  g: Graph,
  feeds: readonly Feeds[],
  options: InterpretOptions = {},
): Record<string, Tensor>[] {
  const precision = options.precision ?? "float64";
  for (const one of feeds) checkFeeds(g, one, { float64: precision === "float64" });
  const known = evaluate(g, feeds, options);
  const borrowed = new Set<unknown>(feeds.flatMap((one) => Object.values(one).map((t) => t.data)));
  for (const node of g.nodes) if (node.op === "constant") borrowed.add((node as Value<"constant">).attrs.value.data);
  const result = (v: Value, values: Map<Value, Data>): Tensor => {
    const data = values.get(v)!;
    return unload(borrowed.has(data) ? data.slice() : data, v.shape, v.dtype, precision);
  };
  return known.map((values) =>
    Object.fromEntries(Object.entries(g.outputs).map(([name, v]) => [name, result(v, values)])),
  );
}
