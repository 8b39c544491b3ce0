/** What a step of a stage is for one of N workers, and how fast such steps are here. */
import type { Recipe, StageMeasure } from "../recipe/index.ts";
import { measureStage } from "../run/measure.ts";
import { tables as own, planOf, type Tables } from "../tables.ts";
import type { Work } from "./predict.ts";
import { timeSteps } from "./step-time.ts";

/** A worker's part of a step, with the memory that it takes. */
export interface WorkerShare extends Work {
  /** Samples of a step on one worker. */
  readonly samples: number;
  readonly memoryBytes: number;
}

/** The share of one of `workers` workers. Throws ConfigError where the batch does not divide among them. */
export async function shareOf(
  recipe: Recipe,
  stage: string,
  workers: number,
  tables: Tables = own,
): Promise<WorkerShare> {
  const measured = await measureStage(recipe, stage, tables, workers);
  const mean = meanOver(recipe, stage, tables);
  return {
    workers,
    flops: mean(measured.flops),
    nodes: mean(measured.nodes),
    sent: mean(measured.sent),
    messages: mean(measured.messages),
    samples: recipe.stages[stage]!.batchSize / workers,
    memoryBytes: Object.values(measured.memory ?? {}).reduce((a, b) => a + b, 0),
  };
}

type ByKind = StageMeasure["flops"];

/** The mean over kinds of batches, by how often they are drawn. */
function meanOver(recipe: Recipe, stage: string, tables: Tables): (of: ByKind) => number {
  const { datasets } = planOf(tables, recipe, recipe.stages[stage]!);
  const total = datasets.reduce((sum, { ratio = 1 }) => sum + ratio, 0);
  return (of = {}) => datasets.reduce((sum, { kind, ratio = 1 }) => sum + (ratio / total) * (of[kind] ?? 0), 0);
}

/** How fast this machine makes steps of a stage. */
export interface Calibration {
  /** Floating-point operations a second. */
  readonly speed: number;
  /** Samples of a timed step, and seconds of the median one. */
  readonly samples: number;
  readonly seconds: number;
  /** The kind of batch that was timed: the one on which the stage spends most. */
  readonly kind: string;
}

export interface CalibrationOptions {
  /** Samples of a step, at most. */
  readonly samples: number;
  readonly rounds: number;
  readonly signal?: AbortSignal | undefined;
  readonly tables?: Tables | undefined;
}

/** Times steps of the recipe's own model, on small batches of the kind that it spends most on. */
export async function calibrate(
  asked: Recipe,
  name: string,
  { samples, rounds, signal, tables = own }: CalibrationOptions,
): Promise<Calibration> {
  const batchSize = Math.min(samples, asked.stages[name]!.batchSize);
  const stage = { ...asked.stages[name]!, batchSize, gradientAccumulationSteps: 1 };
  const recipe: Recipe = { ...asked, stages: { ...asked.stages, [name]: stage } };
  const { flops = {} } = await measureStage(recipe, name, tables);
  const { datasets } = planOf(tables, recipe, stage);
  const cost = ({ kind, ratio = 1 }: (typeof datasets)[number]): number => ratio * (flops[kind] ?? 0);
  const { kind } = datasets.reduce((a, b) => (cost(b) > cost(a) ? b : a));
  const times = await timeSteps({ recipe, stage: name, kinds: [kind], rounds, signal, tables });
  const seconds = times[kind]!.toSorted((a, b) => a - b)[rounds >> 1]!;
  return { speed: flops[kind]! / seconds, samples: batchSize, seconds, kind };
}
