/** From a kind of batch to one program: forward, backward, clipping, AdamW and averages. State in, state out. */
import { add, type Program, type Value } from "../graph/index.ts";
import { type ParamSpec, Params } from "../nn/index.ts";
import { adamw, ema, type GroupRule, gradients, scalarInput } from "../optim/index.ts";
import type { Stage } from "../pretrain/recipe/types.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Average, BatchKind, Judged, StagePlan } from "./stage.ts";

/** A kind's losses and their gradients: what is known before any update is written. */
export interface Traced {
  readonly p: Params;
  readonly judged: Judged;
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
  readonly judged: Judged;
}

/** Which counter of updates a parameter has: those of one counter are always updated together. */
export type Counters = (parameter: string) => string;

/** Forward and backward of a kind on its whole batch. */
export function traceKind(kind: BatchKind, recompute: boolean): Traced {
  const p = new Params();
  const judged = withContrast(p, kind, kind.judge(p, kind.batchSize));
  const loss = Object.values(judged.losses).reduce((a, b) => add(a, b));
  return { p, judged, loss, gradients: gradients(loss, p.values(), keeping(judged, recompute)) };
}

/** With recomputation only these activations are kept for the backward pass. */
export const keeping = ({ checkpoints = [] }: Judged, recompute: boolean): { checkpoints?: readonly Value[] } =>
  recompute ? { checkpoints } : {};

/** The whole step of a traced kind as one program. */
export function wholeStep(name: string, traced: Traced, stage: Stage, plan: StagePlan, counters: Counters): StepGraph {
  const { p, judged, loss, gradients: found } = traced;
  const { updates, initial, gradNorm } = optimizerStep(p.values(), found, stage, plan, counters);
  const carried = plan.carried?.next(judged.statistics ?? {}) ?? {};
  const outputs = { ...judged.losses, ...judged.metrics, loss, grad_norm: gradNorm };
  return {
    program: { name, outputs, updates: { ...updates, ...carried } },
    specs: p.specs(),
    trained: Object.keys(found),
    initial,
    judged,
  };
}

/** A kind's losses together with the one that compares samples, on one and the same batch. */
function withContrast(p: Params, kind: BatchKind, judged: Judged): Judged {
  if (!kind.contrast) return judged;
  const compared = kind.contrast.judge(p, kind.contrast.embed(p, kind.batchSize));
  return {
    ...judged,
    losses: { ...judged.losses, ...compared.losses },
    metrics: { ...judged.metrics, ...compared.metrics },
    chance: { ...judged.chance, ...compared.chance },
  };
}

/** Clipping, AdamW with the stage's groups, and the averages of what has moved. */
export function optimizerStep(
  params: Readonly<Record<string, Value>>,
  found: Readonly<Record<string, Value>>,
  stage: Stage,
  plan: Pick<StagePlan, "gate" | "average">,
  counters: Counters,
): ReturnType<typeof adamw> {
  const { betas, eps, weightDecay, finalWeightDecay } = stage.optimizer;
  const update = adamw(params, found, {
    betas,
    eps,
    weightDecay: finalWeightDecay === null ? weightDecay : scalarInput("weight_decay"),
    groups: groupsOf(stage, Object.keys(found), plan.gate),
    clip: clipOf(stage),
    counters,
  });
  const next = Object.fromEntries(Object.keys(found).flatMap((name) => pair(name, update.updates[name])));
  return { ...update, updates: { ...update.updates, ...averages(next, plan.average) } };
}

const pair = (name: string, value: Value | undefined): [string, Value][] => (value ? [[name, value]] : []);

const averages = (next: Readonly<Record<string, Value>>, average: Average | undefined): Record<string, Value> =>
  average ? ema(next, average.decay, (name) => average.name(name)) : {};

function clipOf(stage: Stage): { globalNorm?: number; perParameter?: number } {
  if (stage.clipNorm === null) return {};
  const perParameter = stage.kind === "image-dino" && stage.clipPer === "parameter";
  return perParameter ? { perParameter: stage.clipNorm } : { globalNorm: stage.clipNorm };
}

/** One group a gated parameter, then the one of parameters that do not decay. */
function groupsOf({ optimizer: { noDecay } }: Stage, names: readonly string[], gate: StagePlan["gate"]): GroupRule[] {
  const fixed = noDecay.map((source) => new RegExp(source));
  const gated = names.flatMap((name) => {
    const lrScale = gate?.(name);
    const decays = !fixed.some((pattern) => pattern.test(name));
    return lrScale ? [{ match: exactly(name), lrScale, ...(decays ? {} : { weightDecay: 0 }) }] : [];
  });
  return [...gated, ...fixed.map((match) => ({ match, weightDecay: 0 }))];
}

const exactly = (name: string): RegExp => new RegExp(`^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
