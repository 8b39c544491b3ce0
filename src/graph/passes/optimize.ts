/** The passes that every graph goes through before an engine sees it. */
import type { Graph } from "../graph.ts";
import { cse } from "./cse.ts";
import { fold } from "./fold.ts";

const MAX_ROUNDS = 8;

const unchanged = (a: Graph, b: Graph): boolean =>
  Object.entries(a.outputs).every(([name, value]) => b.outputs[name] === value);

/** Folds and merges until nothing changes. Inputs that no result needs any more are no longer inputs. */
export function optimize(g: Graph): Graph {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = cse(fold(g));
    if (unchanged(g, next)) return next;
    g = next;
  }
  return g;
}
