/** From an objective to the programs of its step: forward, backward, clipping, AdamW and averages. State in, state out. */
import { add, allReduce, input, mul, type Program, type Value } from "../graph/index.ts";
import { type Cut, cut } from "../graph/passes/index.ts";
import { type ParamSpec, Params } from "../nn/index.ts";
import { adamw, ema, type GroupRule, gradients, scalarInput } from "../optim/index.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import type { TrainingOptions } from "./options.ts";
import { type Average, type Losses, type Objective, type Part, type TrainingPlan, WHOLE } from "./plan.ts";
import { type SharedUpdate, type Shares, shareOut } from "./shares.ts";

/** An objective's losses and their gradients: what is known before any update is written. */
export interface Traced {
  readonly p: Params;
  readonly part: Part;
  readonly found: Losses;
  /** The sum of the losses. */
  readonly loss: Value;
  readonly gradients: Readonly<Record<string, Value>>;
}

/** What the state of a step starts from, and what it finds. */
interface StepState {
  readonly specs: readonly ParamSpec[];
  /** Parameters that the step moves. */
  readonly trained: readonly string[];
  /** First values of moments, counters and sums over parts. */
  readonly initial: Readonly<Record<string, Tensor>>;
  readonly found: Losses;
}

/** The step as one program. */
export interface StepGraph extends StepState {
  readonly program: Program;
}

/** The step in programs for each part of the batch and a last one for all. */
export interface CutStep extends StepState {
  readonly cut: Cut;
  readonly part: Part;
  /** What of the update each worker does. */
  readonly shares: Shares;
}

/** Which counter of updates a parameter has: those of one counter are always updated together. */
export type Counters = (parameter: string) => string;

/** The feed that says which part of the batch a program runs on. */
export const PART = "part_of_batch";

/** A batch on so many workers, each with so many micro-batches. */
export const partOf = (workers: number, perWorker: number): Part =>
  workers * perWorker === 1 ? WHOLE : { parts: workers * perWorker, index: input(PART, [], "int32"), perWorker };

/** Forward and backward of an objective on one part of its batch, the gradients such that their sum over the parts is the batch's. */
export function traceObjective(objective: Objective, recompute: boolean, part: Part = WHOLE): Traced {
  const p = new Params({ parts: part.parts });
  const found = objective.losses(p, objective.batchSize / part.parts, part);
  const loss = Object.values(found.losses).reduce((a, b) => add(a, b));
  const share = part.parts === 1 ? loss : mul(loss, 1 / part.parts);
  return { p, part, found, loss, gradients: gradients(share, p.values(), keeping(found, recompute)) };
}

/** With recomputation only these activations are kept for the backward pass. */
const keeping = ({ checkpoints = [] }: Losses, recompute: boolean): { checkpoints?: readonly Value[] } =>
  recompute ? { checkpoints } : {};

/** How a step updates: what the recipe says of it and what the plan does, and which counter of updates a parameter has. */
export interface Updating {
  readonly options: TrainingOptions;
  readonly plan: TrainingPlan;
  readonly counters: Counters;
  /** Bytes of the smallest parameter whose update is shared out among workers. */
  readonly shareFrom?: number | undefined;
  /** Elements that may wait where the backward pass is cut, for each operation that is left. */
  readonly mayWait?: number | undefined;
}

/** The step of an objective that was traced on its whole batch. */
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

/** The step of an objective that was traced on one part of its batch. */
export function cutStep(name: string, { p, part, found, gradients: by }: Traced, updating: Updating): CutStep {
  const { parts } = part;
  const sums = mapValues(by, (g) => allReduce(g, parts));
  const statistics = mapValues(found.statistics ?? {}, (v) => allReduce(mul(v, 1 / parts), parts));
  const average = (parameter: string): string | undefined => updating.plan.average?.name(parameter);
  const workers = parts / part.perWorker;
  const shares = shareOut(p.values(), sums, { name, workers, from: updating.shareFrom, average });
  const { updates, initial, gradNorm } = optimizerStep(shares.parameters, shares.gradients, updating, shares);
  const carried = updating.plan.carried?.next(statistics) ?? {};
  const done = cut({
    name,
    ofPart: { ...found.losses, ...found.metrics },
    outputs: { grad_norm: gradNorm },
    updates: { ...updates, ...carried },
    sums,
    several: part.perWorker > 1,
    mayWait: updating.mayWait,
  });
  const zeros = mapValues(done.sums, (shape) => zerosLike("float32", shape));
  return {
    ...{ cut: done, part, shares, found },
    ...{ specs: p.specs(), trained: Object.keys(by) },
    initial: { ...initial, ...shares.initial, ...zeros },
  };
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));

/** Clipping, AdamW with its groups, and the averages of what has moved. */
function optimizerStep(
  params: Readonly<Record<string, Value>>,
  by: Readonly<Record<string, Value>>,
  { options, plan, counters }: Updating,
  { held, squares }: Pick<SharedUpdate, "held" | "squares"> = { held: (name) => name, squares: {} },
): ReturnType<typeof adamw> {
  const { betas, eps, weightDecay, finalWeightDecay } = options.optimizer;
  const update = adamw(params, by, {
    betas,
    eps,
    weightDecay: finalWeightDecay === null ? weightDecay : scalarInput("weight_decay"),
    groups: groupsOf(options, Object.keys(by), plan.gate),
    clip: clipOf(options, plan),
    ...{ counters, held, squares },
  });
  const next = Object.fromEntries(Object.keys(by).flatMap((name) => pair(name, update.updates[held(name)])));
  return { ...update, updates: { ...update.updates, ...averages(next, plan.average, held) } };
}

const pair = (name: string, value: Value | undefined): [string, Value][] => (value ? [[name, value]] : []);

function averages(
  next: Readonly<Record<string, Value>>,
  average: Average | undefined,
  held: SharedUpdate["held"],
): Record<string, Value> {
  if (!average) return {};
  const nameOf = (parameter: string): string | undefined => {
    const name = average.name(parameter);
    return name === undefined ? undefined : held(name);
  };
  return ema(next, average.decay, nameOf);
}

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
