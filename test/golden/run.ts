/** Runs values in the float64 interpreter on golden feeds. */
import { graph, interpret, type Value } from "../../src/graph/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";

/** The results of `outputs`; feeds that the graph does not use are left out. */
export function evaluate(
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>>,
): Record<string, Tensor<"float64">> {
  const g = graph("golden", outputs);
  const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => Object.hasOwn(g.inputs, name)));
  return interpret(g, used) as Record<string, Tensor<"float64">>;
}

/** The sum of all elements. */
export const total = (t: Tensor): number => (t.data as Float64Array).reduce((a, b) => a + b, 0);

/** √Σx². */
export const norm = (t: Tensor): number => Math.sqrt((t.data as Float64Array).reduce((a, b) => a + b * b, 0));
