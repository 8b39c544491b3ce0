/** Graphs that run once, with the parameters of a run's state. */
import type { Graph } from "../graph/index.ts";
import { type CompileOptions, compile } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { EvaluationContext } from "./context.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Runs a graph on those of `feeds` that it needs. Inputs that lie in the state or in `weights` come from there. */
export async function runOnce(
  { device, state, signal }: EvaluationContext,
  graph: Graph,
  feeds: Tensors,
  options: Pick<CompileOptions, "weights"> = {},
): Promise<Record<string, Tensor>> {
  using executable = await compile(graph, device, { state, ...options });
  const needed = Object.fromEntries(
    Object.entries(feeds).filter(([name]) => executable.feeds.includes(name) && !state.has(name)),
  );
  return await executable.run(needed, signal && { signal });
}
