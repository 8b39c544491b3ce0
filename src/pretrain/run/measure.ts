/** What a stage will need, from its graphs alone: parameters by scope, nodes, and an estimate of memory. No weights are made. */
import { costOf, type Graph, graph, type Program } from "../../graph/index.ts";
import { precision } from "../../graph/passes/index.ts";
import { size } from "../../tensor/index.ts";
import { declaredState, messagesOf, type StepGraphs, traceSteps } from "../../train/index.ts";
import type { Recipe, StageMeasure } from "../recipe/index.ts";
import { tables as own, planOf, type Tables } from "../tables.ts";
import { precisionOf } from "./precision.ts";

/** Builds the graphs of a stage, for one of so many workers, and measures them. The vocabulary is taken as the recipe's model says. */
export async function measureStage(
  recipe: Recipe,
  name: string,
  tables: Tables = own,
  workers = 1,
): Promise<StageMeasure> {
  const stage = recipe.stages[name]!;
  const plan = planOf(tables, recipe, stage);
  const graphs = await traceSteps(name, stage, plan, { workers });
  const { specs, trained, initial } = declaredState(graphs, plan);
  const parameters: Record<string, number> = {};
  for (const spec of specs) {
    if (!trained.has(spec.name)) continue;
    const scope = scopeOf(spec.name);
    parameters[scope] = (parameters[scope] ?? 0) + size(spec.shape);
  }
  const bytes = (shapes: readonly { readonly shape: readonly number[] }[]): number =>
    4 * shapes.reduce((n, { shape }) => n + size(shape), 0);
  const memory: Record<string, number> = {
    parameters: bytes(specs),
    "moments and sums": bytes(Object.values(initial)),
  };
  const averaged = specs.filter(({ name }) => trained.has(name) && plan.average?.name(name) !== undefined);
  if (averaged.length > 0) memory.averages = bytes(averaged);
  const nodes: Record<string, number> = {};
  const flops: Record<string, number> = {};
  const losses: Record<string, string[]> = {};
  for (const [kind, graphsOfKind] of Object.entries(graphs)) {
    const programs = programsOf(graphsOfKind);
    losses[kind] = Object.keys(("whole" in graphsOfKind ? graphsOfKind.whole : graphsOfKind.parts).found.losses);
    for (const program of programs) {
      const traced = tracedOf(program);
      nodes[kind] = (nodes[kind] ?? 0) + traced.nodes.length;
      flops[kind] = (flops[kind] ?? 0) + costOf(traced).flops * timesIn(graphsOfKind, program);
    }
  }
  memory[ACTIVATIONS] = activationBytes(graphs, recipe.dtype);
  const ofEach = (count: (one: StepGraphs) => number): Record<string, number> =>
    Object.fromEntries(Object.entries(graphs).map(([kind, one]) => [kind, count(one)]));
  if (workers === 1) return { parameters, memory, nodes, losses, flops };
  const [sent, messages] = [ofEach((one) => bytesSent(one, workers)), ofEach(messagesSent)];
  const updated = ofEach((one) => shareUpdated(one, workers));
  return { parameters, memory, nodes, losses, flops, sent, messages, updated };
}

const ACTIVATIONS = "activations and gradients";

const tracedOf = ({ name, outputs, updates }: Program): Graph => graph(name, { ...outputs, ...renamed(updates) });

/** The next state is written over the last one. Sessions share one arena: the most that any of them needs. */
function activationBytes(graphs: Readonly<Record<string, StepGraphs>>, dtype: Recipe["dtype"]): number {
  const programs = Object.values(graphs).flatMap(programsOf);
  const low = precisionOf({ dtype });
  const inPlace = (output: string): boolean => output.startsWith(UPDATE);
  return Math.max(
    0,
    ...programs.map(
      (program) => costOf(low ? precision(tracedOf(program), low) : tracedOf(program), { inPlace }).peakBytes,
    ),
  );
}

/**
 * Bytes that one of N workers sends in a step: of what it gathers or scatters (N − 1)/N, of what it sums twice that, as the best algorithms do.
 * Gradients that are scattered are the parameters that are gathered after the update: as much as their sums on all workers.
 */
export function bytesSent(graphs: StepGraphs, workers: number): number {
  if ("whole" in graphs || workers === 1) return 0;
  const { cut, shares } = graphs.parts;
  const { phases, sums } = cut;
  const once = 4 * ((workers - 1) / workers);
  const { perWorker } = graphs.parts.part;
  const gathered = (phase: (typeof phases)[number]): number =>
    phase.gathers.reduce((n, { own: name }) => n + size(phase.program.outputs[name]!.shape) * perWorker * workers, 0);
  const summed = (names: readonly string[]): number => names.reduce((n, name) => n + size(sums[name]!), 0);
  const scattered = new Set(shares.sums.map(({ name }) => name));
  const elements = phases.reduce((n, phase) => {
    const twice = phase.reduces.filter((name) => !scattered.has(name));
    const own = phase.reduces.filter((name) => scattered.has(name));
    return n + gathered(phase) + 2 * summed(twice) + summed([...own, ...phase.scatters.map((s) => s.sum)]);
  }, 0);
  const afterwards = shares.gathered.reduce((n, { length }) => n + length * workers, 0);
  return once * (elements + afterwards + 2 * FLOAT64 * shares.sums.length);
}

/** Norms are summed as two numbers of 32 bits each. */
const FLOAT64 = 2;

/** Collectives of a step, one after the other; the last adds up what is logged. */
export function messagesSent(graphs: StepGraphs): number {
  if ("whole" in graphs) return 0;
  const { cut, shares } = graphs.parts;
  const { phases, sums } = cut;
  const scattered = new Set(shares.sums.map(({ name }) => name));
  const bytes = (name: string): number => 4 * size(sums[name]!);
  const ofPhases = phases.reduce((n, { gathers, reduces, scatters }) => {
    const [own, all] = [reduces.filter((name) => scattered.has(name)), reduces.filter((name) => !scattered.has(name))];
    return n + gathers.length + messagesOf(all.map(bytes)) + own.length + scatters.length;
  }, 1);
  return ofPhases + shares.gathered.length + (shares.norms ? 1 : 0);
}

/** The share of a step's parameters that one of N workers updates. */
function shareUpdated(graphs: StepGraphs, workers: number): number {
  if ("whole" in graphs) return 1;
  const { specs, trained, shares } = graphs.parts;
  const names = new Set(trained);
  const all = specs.reduce((n, { name, shape }) => n + (names.has(name) ? size(shape) : 0), 0);
  const others = shares.sums.reduce((n, { length }) => n + length * (workers - 1), 0);
  return 1 - others / all;
}

export const programsOf = (graphs: StepGraphs): Program[] =>
  "whole" in graphs
    ? [graphs.whole.program]
    : [...graphs.parts.cut.phases.map(({ program }) => program), ...normsOf(graphs.parts), graphs.parts.cut.last];

const normsOf = ({ shares }: { readonly shares: { readonly norms: Program | undefined } }): Program[] =>
  shares.norms ? [shares.norms] : [];

/** How often a step runs a program on one worker: once for each of its parts, but the last of them. */
const timesIn = (graphs: StepGraphs, program: Program): number =>
  "whole" in graphs || program === graphs.parts.cut.last || program === graphs.parts.shares.norms
    ? 1
    : graphs.parts.part.perWorker;

const UPDATE = "update:";

/** Names of updates that no output has. */
export const renamed = (updates: Program["updates"]): Program["updates"] =>
  Object.fromEntries(Object.entries(updates).map(([name, value]) => [UPDATE + name, value]));

/** `flava.image_model`, `mim_head`: the first name, or the first two below `flava`. */
export const scopeOf = (name: string): string => {
  const [first, second] = name.split(".");
  return first === "flava" ? `${first}.${second}` : first!;
};
