/** Compiles the step programs of a plan and runs one update after another on its state. */
import type { Cluster } from "../cluster/index.ts";
import { oneWorker } from "../cluster/one.ts";
import { ConfigError } from "../errors.ts";
import type { Program } from "../graph/index.ts";
import type { PrecisionOptions } from "../graph/passes/index.ts";
import { type ParamSpec, Params } from "../nn/index.ts";
import { updateCounters } from "../optim/index.ts";
import { compile, type Device, type Executable, type State } from "../runtime/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import type { TrainingOptions } from "./options.ts";
import { cutBatch } from "./parts.ts";
import type { Batch, Metrics, TrainingPlan } from "./plan.ts";
import { beforeRunner, partsRunner, type Runner, wholeRunner } from "./runner.ts";
import { learningRate, weightDecay } from "./schedules.ts";
import { gatherParts, type Shared, takeParts } from "./shares.ts";
import { type CutStep, cutStep, partOf, type StepGraph, traceObjective, wholeStep } from "./step.ts";
import { turns } from "./turns.ts";

/** The programs of one kind of batch: one for the whole step, or several for its parts. */
export type StepGraphs = { readonly whole: StepGraph } | { readonly parts: CutStep };

export interface TraceOptions {
  /** How many workers share each batch; 1 unless said. */
  readonly workers?: number;
  /** Bytes of the smallest parameter whose update is shared out among workers: 256 KiB unless said. */
  readonly shareFrom?: number | undefined;
  /** Elements that may wait where the backward pass is cut so that sums travel beside it, for each operation that is left: 1 in 4,000 unless said. */
  readonly mayWait?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Traces every objective of a plan. No numbers yet. Between two graphs the event loop has a turn; throws where `signal` has fired, and ConfigError
 * where a batch does not divide among workers and micro-batches.
 */
export async function traceSteps(
  name: string,
  options: TrainingOptions,
  plan: TrainingPlan,
  { workers = 1, shareFrom, mayWait, signal }: TraceOptions = {},
): Promise<Record<string, StepGraphs>> {
  const { gradientAccumulationSteps: microBatches, recompute } = options;
  const each = eachInTurn(signal);
  const title = (kind: string): string => `${name}.${kind}`;
  const part = partOf(workers, microBatches);
  for (const [kind, { batchSize }] of Object.entries(plan.objectives))
    checkBatch(title(kind), batchSize, workers, microBatches);
  const traced = await each(plan.objectives, (objective) => traceObjective(objective, recompute, part));
  const counters = updateCounters(mapValues(traced, ({ gradients }) => Object.keys(gradients)));
  const updating = { options, plan, counters, shareFrom, mayWait };
  return each(traced, (one, kind) =>
    part.parts === 1
      ? { whole: wholeStep(title(kind), one, updating) }
      : { parts: cutStep(title(kind), one, updating) },
  );
}

function checkBatch(where: string, batchSize: number, workers: number, microBatches: number): void {
  if (batchSize % (workers * microBatches) === 0) return;
  const by = workers * microBatches;
  throw new ConfigError(
    `${where}: a batch of ${batchSize} does not divide among ${workers} workers with ${microBatches} micro-batches each`,
    `take a batch of ${Math.ceil(batchSize / by) * by}, or another number of workers or micro-batches`,
  );
}

/** As mapValues, with a turn of the event loop before each. */
function eachInTurn(signal: AbortSignal | undefined) {
  const turn = turns(signal);
  return async <T, U>(
    record: Readonly<Record<string, T>>,
    f: (value: T, key: string) => U,
  ): Promise<Record<string, U>> => {
    const found: Record<string, U> = {};
    for (const [key, value] of Object.entries(record)) {
      await turn();
      found[key] = f(value, key);
    }
    return found;
  };
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, f: (value: T, key: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));

/** As mapValues, one after another. */
async function mapInTurn<T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, key: string) => Promise<U>,
): Promise<Record<string, U>> {
  const found: Record<string, U> = {};
  for (const [key, value] of Object.entries(record)) found[key] = await f(value, key);
  return found;
}

const graphOf = (graphs: StepGraphs): StepGraph | CutStep => ("whole" in graphs ? graphs.whole : graphs.parts);

/** Losses, or their chance levels, as they are before they are multiplied by their weights. */
function unweighted(metrics: Metrics, weights: Metrics = {}): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value / (weights[name] ?? 1)]));
}

/** Everything that the objectives declare, each once. */
export function declaredState(
  graphs: Readonly<Record<string, StepGraphs>>,
  { lossWeights }: Pick<TrainingPlan, "lossWeights">,
): {
  readonly specs: readonly ParamSpec[];
  readonly trained: ReadonlySet<string>;
  readonly initial: Readonly<Record<string, Tensor>>;
  readonly chance: Metrics;
} {
  const specs = new Map<string, ParamSpec>();
  const trained = new Set<string>();
  const initial: Record<string, Tensor> = {};
  const chance: Record<string, number> = {};
  for (const graph of Object.values(graphs).map(graphOf)) {
    for (const spec of graph.specs) if (!specs.has(spec.name)) specs.set(spec.name, spec);
    for (const name of graph.trained) trained.add(name);
    Object.assign(initial, graph.initial);
    Object.assign(chance, graph.found.chance);
  }
  return { specs: [...specs.values()], trained, initial, chance: unweighted(chance, lossWeights) };
}

/** Applies optimizer steps to the state. */
export interface Updater {
  /** One update by this worker's samples of the batch; resolves to scalars of the whole batch, "loss" among them. */
  update(step: number, batch: Batch): Promise<Metrics>;
  /** Makes the state whole, as a checkpoint holds it: each worker has updated a part of the moments. Every worker calls it. */
  gather(): Promise<void>;
  dispose(): void;
}

/** What is compiled, and for which device. */
export interface UpdaterOptions {
  readonly options: TrainingOptions;
  readonly plan: TrainingPlan;
  readonly graphs: Readonly<Record<string, StepGraphs>>;
  readonly state: State;
  readonly device: Device;
  /** Products in bfloat16; float32 unless said. */
  readonly precision?: PrecisionOptions | undefined;
  readonly note?: ((line: string) => void) | undefined;
  /** Stops the compiling. */
  readonly signal?: AbortSignal | undefined;
  /** The workers that share each batch, as many as the steps were traced for; this one alone unless said. */
  readonly cluster?: Cluster | undefined;
}

/** Compiles; this takes seconds for a small model and minutes for a large one. */
export async function createUpdater(given: UpdaterOptions): Promise<Updater> {
  const { options, plan, graphs, state, device, precision, note, signal, cluster = oneWorker() } = given;
  const runners: Record<string, Runner> = {};
  const all: Executable[] = [];
  const turn = turns(signal);
  const ready = async (program: Program): Promise<Executable> => {
    await turn(); // tracing held the event loop: now a Ctrl-C can be heard
    const begun = performance.now();
    const compiling = compile(program, device, {
      state,
      purpose: "training",
      ...(precision && { precision }),
      ...(signal && { signal }),
    });
    const executable = await saidIfLong(compiling, () => note?.(`compiling ${program.name}…`));
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    note?.(`compiled ${program.name}: ${executable.graph.nodes.length.toLocaleString("en-US")} nodes in ${seconds} s`);
    all.push(executable);
    return executable;
  };
  for (const [kind, graph] of Object.entries(graphs)) {
    runners[kind] =
      "whole" in graph
        ? await wholeRunner(graph.whole, ready)
        : await partsRunner(graph.parts, ready, { cluster, state, axis: plan.objectives[kind]!.sampleAxis ?? 0 });
  }
  const before = await mapInTurn(plan.objectives, async ({ before: pass, batchSize, sampleAxis = 0 }, kind) => {
    if (!pass) return undefined;
    const { gradientAccumulationSteps: pieces } = options;
    const outputs = pass.results(new Params(), batchSize / ((cluster?.size ?? 1) * pieces));
    const executable = await ready({ name: `${kind}.before`, outputs, updates: {} });
    return beforeRunner(executable, pass, { pieces, axis: sampleAxis });
  });
  const [lr, decay] = [learningRate(options, plan), weightDecay(options)];
  const scalars = (step: number): Record<string, number> => ({
    lr: lr(step),
    weight_decay: decay(step),
    ...plan.scalars?.(step),
  });
  const shared = sharedBy(graphs);
  let parts = false;
  return {
    async update(step, { kind, feeds }) {
      if (!parts) await takeParts(cluster, state, [...shared.gathered, ...shared.moments]);
      parts = true;
      const own = { ...feeds, ...ownRows(plan.noise?.(step), cluster) };
      const found = await before[kind]?.(own, scalars(step));
      const metrics = await runners[kind]!({ ...own, ...found }, scalars(step));
      return { ...unweighted(metrics, plan.lossWeights), lr: lr(step) };
    },
    gather: async () => {
      if (parts) await gatherParts(cluster, state, shared.moments);
    },
    dispose: () => {
      for (const executable of all) executable.dispose();
    },
  };
}

/** What takes less is said when it is done. */
const LONG_MS = 5000;

/** Calls `say` where the work is not done by then. */
async function saidIfLong<T>(work: Promise<T>, say: () => void): Promise<T> {
  const timer = setTimeout(say, LONG_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** This worker's rows of what is made for the whole batch. */
const ownRows = (all: Feeds = {}, { rank, size }: Cluster): Feeds => (size === 1 ? all : cutBatch(all, size, 0)[rank]!);

/** What any of the steps shares out, each once. */
function sharedBy(graphs: Readonly<Record<string, StepGraphs>>): Record<"gathered" | "moments", Shared[]> {
  const all = Object.values(graphs).flatMap((one) => ("parts" in one ? [one.parts.shares] : []));
  const once = (shared: readonly Shared[]): Shared[] => [...new Map(shared.map((one) => [one.name, one])).values()];
  return { gathered: once(all.flatMap((s) => s.gathered)), moments: once(all.flatMap((s) => s.moments)) };
}
