/** From an objective to one program: forward, backward, clipping, AdamW and averages. State in, state out. */
import { add, type Program, type Value } from "../graph/index.ts";
import { type ParamSpec, Params } from "../nn/index.ts";
import { adamw, ema, type GroupRule, gradients, scalarInput } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { TrainingOptions } from "./options.ts";
import { type Average, joined, type Losses, type Objective, type TrainingPlan } from "./plan.ts";

/** An objective's losses and their gradients: what is known before any update is written. */
export interface Traced {
  readonly p: Params;
  readonly found: Losses;
  readonly loss: Value;
  readonly gradients: Readonly<Record<string, Value>>;
}

/** A program with what its state starts from. */
export interface StepGraph {
  readonly program: Program;
  readonly specs: readonly ParamSpec[];
  /** Parameters that the step moves. */
  readonly trained: readonly string[];
  /** First values of moments and counters. */
  readonly initial: Readonly<Record<string, Tensor>>;
  readonly found: Losses;
}

/** Which counter of updates a parameter has: those of one counter are always updated together. */
export type Counters = (parameter: string) => string;

/** Forward and backward of an objective on its whole batch. */
export function traceObjective(objective: Objective, recompute: boolean): Traced {
  const p = new Params();
  const found = withContrast(p, objective, objective.losses(p, objective.batchSize));
  const loss = Object.values(found.losses).reduce((a, b) => add(a, b));
  return { p, found, loss, gradients: gradients(loss, p.values(), keeping(found, recompute)) };
}

/** With recomputation only these activations are kept for the backward pass. */
export const keeping = ({ checkpoints = [] }: Losses, recompute: boolean): { checkpoints?: readonly Value[] } =>
  recompute ? { checkpoints } : {};

/** How a step updates: what the recipe says of it and what the plan does, and which counter of updates a parameter has. */
export interface Updating {
  readonly options: TrainingOptions;
  readonly plan: TrainingPlan;
  readonly counters: Counters;
}

/** The whole step of a traced objective as one program. */
export function wholeStep(name: string, { p, found, loss, gradients: by }: Traced, updating: Updating): StepGraph {
  const { updates, initial, gradNorm } = optimizerStep(p.values(), by, updating);
  const carried = updating.plan.carried?.next(found.statistics ?? {}) ?? {};
  const outputs = { ...found.losses, ...found.metrics, loss, grad_norm: gradNorm };
  return {
    program: { name, outputs, updates: { ...updates, ...carried } },
    specs: p.specs(),
    trained: Object.keys(by),
    initial,
    found,
  };
}

/** An objective's losses together with the one that compares samples, on one and the same batch. */
function withContrast(p: Params, { contrast, batchSize }: Objective, own: Losses): Losses {
  return contrast ? joined(own, contrast.losses(p, own.embeds ?? contrast.embed(p, batchSize))) : own;
}

/** Clipping, AdamW with its groups, and the averages of what has moved. */
export function optimizerStep(
  params: Readonly<Record<string, Value>>,
  by: Readonly<Record<string, Value>>,
  { options, plan, counters }: Updating,
): ReturnType<typeof adamw> {
  const { betas, eps, weightDecay, finalWeightDecay } = options.optimizer;
  const update = adamw(params, by, {
    betas,
    eps,
    weightDecay: finalWeightDecay === null ? weightDecay : scalarInput("weight_decay"),
    groups: groupsOf(options, Object.keys(by), plan.gate),
    clip: clipOf(options, plan),
    counters,
  });
  const next = Object.fromEntries(Object.keys(by).flatMap((name) => pair(name, update.updates[name])));
  return { ...update, updates: { ...update.updates, ...averages(next, plan.average) } };
}

const pair = (name: string, value: Value | undefined): [string, Value][] => (value ? [[name, value]] : []);

const averages = (next: Readonly<Record<string, Value>>, average: Average | undefined): Record<string, Value> =>
  average ? ema(next, average.decay, (name) => average.name(name)) : {};

function clipOf(
  { clipNorm }: TrainingOptions,
  { clipPer }: TrainingPlan,
): { globalNorm?: number; perParameter?: number } {
  if (clipNorm === null) return {};
  return clipPer === "parameter" ? { perParameter: clipNorm } : { globalNorm: clipNorm };
}

/** One group a gated parameter, then the one of parameters that do not decay. */
function groupsOf(
  { optimizer: { noDecay } }: TrainingOptions,
  names: readonly string[],
  gate: TrainingPlan["gate"],
): GroupRule[] {
  const fixed = noDecay.map((source) => new RegExp(source));
  const gated = names.flatMap((name) => {
    const lrScale = gate?.(name);
    const decays = !fixed.some((pattern) => pattern.test(name));
    return lrScale ? [{ match: exactly(name), lrScale, ...(decays ? {} : { weightDecay: 0 }) }] : [];
  });
  return [...gated, ...fixed.map((match) => ({ match, weightDecay: 0 }))];
}

const exactly = (name: string): RegExp => new RegExp(`^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
