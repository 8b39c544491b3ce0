/** Dead code: leaves of a graph only what some of its results need. */
import { NameError } from "../../errors.ts";
import { nearest } from "../../tensor/index.ts";
import { type Graph, graph } from "../graph.ts";

/** The graph behind the results in `keep`; values and inputs that only the others needed are gone. Throws NameError. */
export function dce(g: Graph, keep: readonly string[]): Graph {
  const known = Object.keys(g.outputs);
  const outputs = keep.map((name) => {
    const value = g.outputs[name];
    if (!value || !Object.hasOwn(g.outputs, name))
      throw new NameError(`${g.name}: there is no result "${name}"`, nearest(name, known));
    return [name, value] as const;
  });
  return graph(g.name, Object.fromEntries(outputs));
}
