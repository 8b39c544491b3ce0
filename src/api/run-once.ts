/** Graphs that run once, with the parameters of a loaded model. */
import type { Graph } from "../graph/index.ts";
import { type CompileOptions, compile } from "../runtime/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import type { LoadedModel } from "./loaded-model.ts";

/** Runs a graph on those of `feeds` that it needs. Inputs that lie in the state or in `weights` come from there. */
export async function runOnce(
  { device, state, signal }: Pick<LoadedModel, "device" | "state" | "signal">,
  graph: Graph,
  feeds: Feeds,
  options: Pick<CompileOptions, "weights"> = {},
): Promise<Record<string, Tensor>> {
  using executable = await compile(graph, device, { state, ...options });
  const needed = Object.fromEntries(
    Object.entries(feeds).filter(([name]) => executable.feeds.includes(name) && !state.has(name)),
  );
  return await executable.run(needed, signal && { signal });
}
