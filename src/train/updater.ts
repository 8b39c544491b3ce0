/** Compiles the step programs of a plan and runs one update after another on its state. */
import type { Program } from "../graph/index.ts";
import type { PrecisionOptions } from "../graph/passes/index.ts";
import type { ParamSpec } from "../nn/index.ts";
import { updateCounters } from "../optim/index.ts";
import { compile, type Device, type Executable, type State } from "../runtime/index.ts";
import { type Feeds, scalar, type Tensor } from "../tensor/index.ts";
import { embedGradient, KEEP, type MicroGraphs, microSteps, traceParts, weightName } from "./accumulate.ts";
import type { TrainingOptions } from "./options.ts";
import { cutBatch, joinBatches, partMetrics, shares } from "./parts.ts";
import type { Batch, Metrics, Objective, TrainingPlan } from "./plan.ts";
import { learningRate, weightDecay } from "./schedules.ts";
import { type StepGraph, traceObjective, wholeStep } from "./step.ts";
import { turns } from "./turns.ts";

/** The programs of one kind of batch: one for the whole step, or several for its parts. */
export type StepGraphs = { readonly whole: StepGraph } | { readonly parts: MicroGraphs; readonly count: number };

/** Traces every objective of a plan. No numbers yet. Between two graphs the event loop has a turn; throws where `signal` has fired. */
export async function traceSteps(
  name: string,
  options: TrainingOptions,
  plan: TrainingPlan,
  signal?: AbortSignal,
): Promise<Record<string, StepGraphs>> {
  const { gradientAccumulationSteps: count, recompute } = options;
  const each = eachInTurn(signal);
  const title = (kind: string): string => `${name}.${kind}`;
  if (count === 1) {
    const traced = await each(plan.objectives, (objective) => traceObjective(objective, recompute));
    const counters = updateCounters(mapValues(traced, ({ gradients }) => Object.keys(gradients)));
    return each(traced, (one, kind) => ({ whole: wholeStep(title(kind), one, { options, plan, counters }) }));
  }
  const traced = await each(plan.objectives, (one, kind) => traceParts(title(kind), one, count, recompute));
  const counters = updateCounters(mapValues(traced, ({ trained }) => trained));
  return each(traced, (one, kind) => ({ parts: microSteps(title(kind), one, { options, plan, counters }), count }));
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

const graphOf = (graphs: StepGraphs): StepGraph | MicroGraphs => ("whole" in graphs ? graphs.whole : graphs.parts);

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
  /** One update; resolves to scalars, "loss" among them. */
  update(step: number, batch: Batch): Promise<Metrics>;
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
}

/** Compiles; this takes seconds for a small model and minutes for a large one. */
export async function createUpdater(given: UpdaterOptions): Promise<Updater> {
  const { options, plan, graphs, state, device, precision, note, signal } = given;
  const runners: Record<string, Runner> = {};
  const all: Executable[] = [];
  const turn = turns(signal);
  const ready = async (program: Program): Promise<Executable> => {
    await turn(); // tracing held the event loop: now a Ctrl-C can be heard
    const begun = performance.now();
    const executable = await compile(program, device, {
      state,
      purpose: "training",
      ...(precision && { precision }),
      ...(signal && { signal }),
    });
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    note?.(`compiled ${program.name}: ${executable.graph.nodes.length.toLocaleString("en-US")} nodes in ${seconds} s`);
    all.push(executable);
    return executable;
  };
  for (const [kind, graph] of Object.entries(graphs)) {
    runners[kind] =
      "whole" in graph
        ? wholeRunner(await ready(graph.whole.program))
        : await partsRunner(graph, plan.objectives[kind]!, ready);
  }
  const [lr, decay] = [learningRate(options, plan), weightDecay(options)];
  const scalars = (step: number): Record<string, number> => ({
    lr: lr(step),
    weight_decay: decay(step),
    ...plan.scalars?.(step),
  });
  return {
    async update(step, { kind, feeds }) {
      const metrics = await runners[kind]!({ ...feeds, ...plan.noise?.(step) }, scalars(step));
      return { ...unweighted(metrics, plan.lossWeights), lr: lr(step) };
    },
    dispose: () => {
      for (const executable of all) executable.dispose();
    },
  };
}

type Runner = (feeds: Feeds, scalars: Readonly<Record<string, number>>) => Promise<Metrics>;

/** Runs with what the executable reads of the feeds and scalars. */
async function run(executable: Executable, feeds: Feeds, scalars: Readonly<Record<string, number>>) {
  const given: Record<string, Tensor> = {};
  for (const name of executable.feeds) {
    const value = feeds[name] ?? (name in scalars ? scalar(scalars[name]!) : undefined);
    if (value) given[name] = value;
  }
  return executable.run(given);
}

const numbers = (results: Readonly<Record<string, Tensor>>): Record<string, number> =>
  Object.fromEntries(Object.entries(results).map(([name, t]) => [name, Number(t.data[0])]));

const wholeRunner =
  (executable: Executable): Runner =>
  async (feeds, scalars) =>
    numbers(await run(executable, feeds, scalars));

async function partsRunner(
  { parts, count }: Extract<StepGraphs, { parts: MicroGraphs }>,
  objective: Objective,
  ready: (program: Program) => Promise<Executable>,
): Promise<Runner> {
  const embed = parts.embed && (await ready(parts.embed));
  const contrast = parts.contrast && (await ready(parts.contrast));
  const [micro, apply] = [await ready(parts.micro), await ready(parts.apply)];
  return async (feeds, scalars) => {
    const pieces = cutBatch(feeds, count, objective.sampleAxis ?? 0);
    let compared: Metrics = {};
    let back: Feeds[] = pieces.map(() => ({}));
    if (embed && contrast) {
      const found: Feeds[] = [];
      for (const piece of pieces) found.push(await run(embed, piece, scalars));
      const results = await run(contrast, { ...feeds, ...joinBatches(found) }, scalars);
      const names = Object.keys(found[0]!).map(embedGradient);
      back = cutBatch(Object.fromEntries(names.map((name) => [name, results[name]!])), count, 0);
      compared = numbers(Object.fromEntries(Object.entries(results).filter(([name]) => !names.includes(name))));
    }
    const weights = shares(objective, parts.found, pieces, feeds);
    const measured: Metrics[] = [];
    for (const [i, piece] of pieces.entries()) {
      const weighed = Object.fromEntries(Object.entries(weights[i]!).map(([loss, w]) => [weightName(loss), w]));
      const also = { ...scalars, ...weighed, [KEEP]: i === 0 ? 0 : 1 };
      measured.push(numbers(await run(micro, { ...piece, ...back[i] }, also)));
    }
    const metrics = { ...partMetrics(parts.found, measured, weights), ...compared };
    const loss = Object.keys(parts.found.losses).reduce((sum, name) => sum + (metrics[name] ?? 0), 0);
    return { ...metrics, loss, ...numbers(await run(apply, {}, scalars)) };
  };
}
