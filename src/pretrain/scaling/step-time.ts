/** How long steps of a stage take, alone or on several workers: on values made up here, as the arithmetic does not depend on them. */
import { type Cluster, oneWorker } from "../../cluster/index.ts";
import { type Graph, graph, type Program } from "../../graph/index.ts";
import type { ParamSpec } from "../../nn/index.ts";
import { openDevice, State } from "../../runtime/index.ts";
import { type DType, type Feeds, type Shape, type Tensor, zerosLike } from "../../tensor/index.ts";
import { createUpdater, declaredState, type StepGraphs, traceSteps } from "../../train/index.ts";
import type { Recipe } from "../recipe/index.ts";
import { programsOf, renamed } from "../run/measure.ts";
import type { StagePlan } from "../stages/stage.ts";
import { tables as own, planOf, type Tables } from "../tables.ts";

export interface Timing {
  readonly recipe: Recipe;
  readonly stage: string;
  /** Which kinds of batches; all unless said. */
  readonly kinds?: readonly string[] | undefined;
  /** Steps that are timed, after two that are not. */
  readonly rounds: number;
  readonly cluster?: Cluster | undefined;
  /** Who begins each step at the same time, without sharing batches. */
  readonly together?: Cluster | undefined;
  readonly tables?: Tables | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called before and after each step that is timed. */
  readonly around?: ((kind: string, when: "before" | "after") => void) | undefined;
}

const WARM_UP = 2;

/** Seconds of each timed step, by kind of batch. Throws ConfigError where a batch does not divide among the workers. */
export async function timeSteps({
  recipe,
  stage: name,
  kinds,
  rounds,
  cluster = oneWorker(),
  together = cluster,
  tables = own,
  signal,
  around,
}: Timing): Promise<Record<string, number[]>> {
  const stage = recipe.stages[name]!;
  const all = planOf(tables, recipe, stage);
  const chosen = Object.entries(all.objectives).filter(([kind]) => kinds?.includes(kind) ?? true);
  const plan: StagePlan = { ...all, objectives: Object.fromEntries(chosen) };
  const graphs = await traceSteps(name, stage, plan, { workers: cluster.size, signal });
  const device = await openDevice(recipe.device, recipe.threads ? { threads: recipe.threads } : {});
  using state = filled(new State(device), graphs, plan);
  const updater = await createUpdater({ options: stage, plan, graphs, state, device, cluster, signal });
  const times: Record<string, number[]> = {};
  try {
    for (const [kind, one] of Object.entries(graphs)) {
      const batch = { kind, feeds: madeUp(one, state, plan.objectives[kind]!.sampleAxis ?? 0), samples: [] };
      times[kind] = [];
      for (let step = 1; step <= WARM_UP + rounds; step++) {
        signal?.throwIfAborted();
        await together.barrier();
        if (step > WARM_UP) around?.(kind, "before");
        const begun = performance.now();
        await updater.update(step, batch);
        if (step > WARM_UP) times[kind]!.push((performance.now() - begun) / 1000);
        if (step > WARM_UP) around?.(kind, "after");
      }
    }
  } finally {
    updater.dispose();
  }
  return times;
}

/** Parameters near 0, moments at 0. */
function filled(state: State, graphs: Readonly<Record<string, StepGraphs>>, plan: StagePlan): State {
  const { specs, trained, initial } = declaredState(graphs, plan);
  for (const spec of specs) {
    state.write(spec.name, smallNumbers(spec));
    const average = trained.has(spec.name) ? plan.average?.name(spec.name) : undefined;
    if (average !== undefined) state.write(average, smallNumbers(spec));
  }
  state.writeAll({ ...initial, ...plan.carried?.initial });
  return state;
}

/** Spread evenly over ±0.02: drawing hundreds of millions of normal numbers would take longer than the steps. */
function smallNumbers({ shape }: Pick<ParamSpec, "shape">): Tensor<"float32"> {
  const t = zerosLike("float32", shape);
  for (let i = 0; i < t.data.length; i++) t.data[i] = 0.04 * (((i * 0.6180339887) % 1) - 0.5);
  return t;
}

/** A batch of ones for every feed of the first program that has samples: ids, positions, classes and masks are valid ones. */
function madeUp(graphs: StepGraphs, state: State, axis: number): Feeds {
  const perWorker = "whole" in graphs ? 1 : graphs.parts.part.perWorker;
  const feeds: Record<string, Tensor> = {};
  for (const program of programsOf(graphs))
    for (const [name, { shape, dtype }] of Object.entries(inputsOf(program)))
      if (shape.length > 0 && !state.has(name))
        feeds[name] ??= ones(
          shape.map((d, i) => (i === axis ? d * perWorker : d)),
          dtype,
        );
  return feeds;
}

const inputsOf = ({ name, outputs, updates }: Program): Graph["inputs"] =>
  graph(name, { ...outputs, ...renamed(updates) }).inputs;

/** A number of the feed's type that is valid as a position, an id, a class or a mask, whatever it stands for. */
function ones(shape: Shape, dtype: DType): Tensor {
  const t = zerosLike(dtype, shape);
  t.data.fill(dtype.startsWith("float") ? (0.1 as never) : (1 as never));
  return t;
}
