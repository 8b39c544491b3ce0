/** Graphs of a model for any batch and text length: `batch_size`, `sequence_length` and `region_count` are left open. */
import { type DynamicGraph, graph } from "../graph/index.ts";
import type { ParamSpec } from "../nn/index.ts";
import type { Model, ModelGraph } from "./model.ts";

/** A graph with open axes and the parameters among its inputs. */
export interface DynamicModelGraph {
  readonly graph: DynamicGraph;
  readonly params: readonly ParamSpec[];
}

/** Sizes that a run gives. */
export interface OpenSizes {
  readonly batch: number;
  readonly textLength: number;
  /** Regions of a picture; 1 unless said. */
  readonly regions?: number;
}

const NAMES = { batch: "batch_size", textLength: "sequence_length", regions: "region_count" } as const;

/**
 * What `make` builds, for any of the sizes that are open. `results` are those that are kept, all unless said. Texts are as long as the
 * model's positions at most. Throws NameError for a result that does not exist.
 */
export function dynamicGraph(
  model: Model,
  open: readonly (keyof OpenSizes)[],
  make: (sizes: OpenSizes) => ModelGraph,
  results?: readonly string[],
): DynamicModelGraph {
  const built = (sizes: OpenSizes): ModelGraph => {
    const { graph: g, params } = make(sizes);
    if (!results) return { graph: g, params };
    const part = graph(g.name, Object.fromEntries(results.map((name) => [name, g.outputs[name]!])));
    return { graph: part, params: params.filter(({ name }) => Object.hasOwn(part.inputs, name)) };
  };
  const { graph: example, params } = built({ batch: 2, textLength: 2, regions: 2 });
  const max = { batch: undefined, textLength: model.texts?.maxPositions, regions: undefined };
  return {
    params,
    graph: {
      name: example.name,
      axes: Object.fromEntries(open.map((size) => [NAMES[size], { max: max[size] }])),
      trace: (sizes) =>
        built({
          batch: sizes[NAMES.batch] ?? 1,
          textLength: sizes[NAMES.textLength] ?? 1,
          regions: sizes[NAMES.regions] ?? 1,
        }).graph,
    },
  };
}
