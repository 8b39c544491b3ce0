/** What a step of a stage is for one of N workers, and how fast such steps are here. */
import { workersInProcess } from "../../cluster/index.ts";
import type { Recipe, StageMeasure } from "../recipe/index.ts";
import { measureStage } from "../run/measure.ts";
import { tables as own, planOf, type Tables } from "../tables.ts";
import type { Machine, Work } from "./predict.ts";
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
    sent: mean(measured.sent),
    messages: mean(measured.messages),
    updated: workers === 1 ? 1 : mean(measured.updated),
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
export interface Calibration extends Machine {
  /** Samples of the timed steps, and seconds of the median ones. */
  readonly timed: readonly { readonly samples: number; readonly seconds: number }[];
  /** The kind of batch that was timed: the one on which the stage spends most. */
  readonly kind: string;
}

export interface CalibrationOptions {
  /** Samples of the larger of two batches, at most. */
  readonly samples: number;
  readonly rounds: number;
  /** How many make the same steps at the same time, and so share the memory of the machine; 1 unless said. */
  readonly atOnce?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly tables?: Tables | undefined;
}

/** The larger batch over the smaller one. */
const RATIO = 4;

/** Times steps of the recipe's own model on batches of two sizes, of the kind that it spends most on. */
export async function calibrate(
  recipe: Recipe,
  name: string,
  { samples, rounds, atOnce = 1, signal, tables = own }: CalibrationOptions,
): Promise<Calibration> {
  const large = Math.min(samples, recipe.stages[name]!.batchSize);
  const kind = await costliest(recipe, name, tables);
  const timed: { samples: number; flops: number; seconds: number }[] = [];
  for (const batchSize of [Math.max(1, Math.floor(large / RATIO)), large]) {
    const stage = { ...recipe.stages[name]!, batchSize, gradientAccumulationSteps: 1 };
    const small: Recipe = { ...recipe, stages: { ...recipe.stages, [name]: stage } };
    const { flops = {} } = await measureStage(small, name, tables);
    const timing = { recipe: small, stage: name, kinds: [kind], rounds, tables };
    const together = await Promise.all(
      workersInProcess(atOnce).map((cluster) => timeSteps({ ...timing, signal, together: cluster })),
    );
    const times = together.flatMap((one) => one[kind]!);
    timed.push({ samples: batchSize, flops: flops[kind]!, seconds: median(times) });
  }
  return { ...lineThrough(timed), timed: timed.map(({ samples: n, seconds }) => ({ samples: n, seconds })), kind };
}

/** Seconds as a line in operations. Where the larger batch takes no longer, nothing is known of the fixed part: it is taken as none. */
function lineThrough(timed: readonly { readonly flops: number; readonly seconds: number }[]): Machine {
  const [a, b] = [timed[0]!, timed.at(-1)!];
  const each = (b.seconds - a.seconds) / (b.flops - a.flops);
  const fixed = b.seconds - b.flops * each;
  return each > 0 && fixed > 0 ? { fixed, speed: 1 / each } : { fixed: 0, speed: b.flops / b.seconds };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

async function costliest(recipe: Recipe, name: string, tables: Tables): Promise<string> {
  const { flops = {} } = await measureStage(recipe, name, tables);
  const { datasets } = planOf(tables, recipe, recipe.stages[name]!);
  const cost = ({ kind, ratio = 1 }: (typeof datasets)[number]): number => ratio * (flops[kind] ?? 0);
  return datasets.reduce((a, b) => (cost(b) > cost(a) ? b : a)).kind;
}
