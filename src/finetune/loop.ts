/** The loop of a fine-tuning with everything that it calls: batches, logs, evaluations, checkpoints, early stopping. */
import { join } from "node:path";
import { createLoader, type Loader, type LoaderState, type PixelCache, type TaskBuild } from "../data/index.ts";
import type { ParamSpec } from "../nn/index.ts";
import {
  type BestSoFar,
  betterOf,
  EVALUATION_DUE,
  evaluationDue,
  hashOf,
  saveCheckpoint,
  storeEntries,
} from "../record/index.ts";
import type { State } from "../runtime/index.ts";
import { size } from "../tensor/index.ts";
import {
  type Batch,
  type Loop,
  type Means,
  type Metrics,
  means,
  type Sums,
  train,
  type Updater,
} from "../train/index.ts";
import { type Names, type Resumed, saved } from "./checkpoints.ts";
import { chosenBy, figures, guessFigures } from "./figures.ts";
import { type Measurer, plainBuild } from "./measure.ts";
import { KIND } from "./plan.ts";
import { type Running, STAGE } from "./request.ts";

/** What the loop works with besides the request. */
export interface LoopParts {
  readonly updater: Updater;
  readonly measurer: Measurer;
  readonly state: State;
  readonly names: Names;
  readonly specs: readonly ParamSpec[];
  readonly resumed: Resumed | undefined;
  readonly whole: NonNullable<TaskBuild["image"]>["whole"];
  readonly pixels: PixelCache | undefined;
  readonly chance: Metrics;
}

/** How training ended. Early stopping is an end like any other. */
export interface LoopOutcome {
  readonly ending: "done" | "stopped";
  readonly step: number;
  readonly bestStep: number;
}

/** Where training stands besides its tensors. */
interface Progress {
  place: LoaderState | undefined;
  samples: number;
  best: BestSoFar | null;
  /** The loss of the best: of equal figures the one with less is better. */
  bestLoss: number;
  /** Evaluations since the figure last improved. */
  stale: number;
  readonly recent: Means;
}

/** Cursors of a checkpoint. */
const [LOADER, MEANS] = ["loader", "means"];
const STALE = "evaluations_since_best";
const BEST_LOSS = "loss_of_best";

/** Samples whose encoded bytes fit into this are held in memory and reshuffled as a whole. */
const MEMORY_BYTES = 2 ** 30;

/** Trains to the last step, to the end of patience, or until the signal. */
export async function runLoop(run: Running, parts: LoopParts): Promise<LoopOutcome> {
  const { reporter, record } = run;
  const now = progressOf(parts.resumed);
  const early = new AbortController();
  const signal = run.signal ? AbortSignal.any([run.signal, early.signal]) : early.signal;
  const loader = await openLoader(run, parts, now.place);
  await begin(run, parts);
  try {
    const { ending, step, times } = await train(loopOf(run, parts, { now, loader, early }), signal);
    const { total: seconds, ...spent } = times;
    await record.advance(STAGE, { done: step, samples: now.samples, seconds, times: spent });
    const stopped = ending === "stopped" && !early.signal.aborted;
    if (early.signal.aborted)
      reporter.note(`stopped early: ${now.stale} evaluations without a better ${bestName(run)}`);
    return {
      ending: stopped || (run.signal?.aborted ?? false) ? "stopped" : "done",
      step,
      bestStep: now.best?.step ?? step,
    };
  } finally {
    await loader.close();
  }
}

async function begin(run: Running, parts: LoopParts): Promise<void> {
  const { settings, data, reporter, record } = run;
  await record.begin(STAGE, {
    kind: data.problem.inputs,
    steps: settings.steps,
    chance: chances(run, parts),
    parameters: parts.specs.reduce((n, { shape }) => n + size(shape), 0),
  });
  reporter.begin(STAGE, settings.steps, parts.resumed?.step ?? 0);
}

/** What changes while the loop runs. */
interface Live {
  readonly now: Progress;
  readonly loader: Loader;
  /** Ends the loop when patience does. */
  readonly early: AbortController;
}

/** The loop: `train` says when each of these is called. */
function loopOf(run: Running, parts: LoopParts, { now, loader, early }: Live): Loop {
  const { settings, reporter, record, log } = run;
  const { updater, resumed } = parts;
  const begun = { time: performance.now(), samples: now.samples };
  return {
    stage: STAGE,
    done: resumed?.step ?? 0,
    evaluationDue: resumed && evaluationDue(resumed.state),
    steps: settings.steps,
    every: { log: settings.logEvery, eval: settings.evalEvery, save: settings.saveEvery },
    async next(step) {
      const { feeds, samples, state } = await loader.next(step);
      return { kind: KIND, feeds, samples, place: state } as Batch;
    },
    async update(step, batch) {
      const metrics = await updater.update(step, batch);
      now.place = (batch as Batch & { readonly place: LoaderState }).place;
      now.samples += batch.samples.length;
      return metrics;
    },
    evaluate: (_, abort) => measured(run, parts, abort),
    async log(step, metrics, due) {
      now.recent.add(metrics);
      const rate = (now.samples - begun.samples) / ((performance.now() - begun.time) / 1000);
      reporter.step(step, describe(metrics, rate, now.best));
      if (due) await log.log(STAGE, step, { ...now.recent.take(), samples_per_second: rate, samples: now.samples });
    },
    async evaluated(step, found) {
      await log.log(STAGE, step, found);
      const better = takeBetter(now, run, step, found);
      if (settings.patience !== null && now.stale >= settings.patience && step < settings.steps) early.abort();
      return better;
    },
    async save(step, isDue, { total: seconds, ...times }) {
      await save(run, parts, now, { step, isDue });
      await record.advance(STAGE, { done: step, samples: now.samples, seconds, times });
    },
  };
}

const bestName = ({ best, data }: Running): string => best ?? chosenBy(data.problem);

/** Figures of which the least is the best. */
const isLess = (figure: string): boolean => figure === "loss" || figure === "rmse";

const progressOf = (resumed: Resumed | undefined): Progress => ({
  place: resumed?.state.cursors[LOADER!] as LoaderState | undefined,
  samples: resumed?.state.counters.samples ?? 0,
  best: resumed?.state.best ?? null,
  bestLoss: resumed?.state.counters[BEST_LOSS] ?? Infinity,
  stale: resumed?.state.counters[STALE] ?? 0,
  recent: means(resumed?.state.cursors[MEANS!] as Sums | undefined),
});

function openLoader(
  { data, seed, settings, base, onBad, workers }: Running,
  { whole, pixels }: LoopParts,
  state: LoaderState | undefined,
) {
  const { problem, train: samples } = data;
  const plain = plainBuild({ problem, settings, whole });
  const { crop, flip } = settings;
  const augment = crop < 1 || flip > 0 ? { crop: { scale: [crop, 1] as const }, flip } : null;
  const task = { ...plain, ...(plain.image && { image: { ...plain.image, augment } }) };
  return createLoader({
    seed,
    datasets: [
      {
        name: KIND,
        build: { kind: "task", task },
        batchSize: settings.batchSize,
        sources: [{ source: samples.source, captions: "first" }],
        shuffle: 10_000,
        negatives: 0,
        memoryBytes: MEMORY_BYTES,
      },
    ],
    workers: workers ?? (problem.inputs === "text" ? 0 : 1),
    tokenizer: base.loaded.tokenizer,
    pixels,
    state,
    onBad,
  });
}

/** What a guess scores, by the names of the log. */
function chances({ data }: Running, { chance }: LoopParts): Metrics {
  const guess = guessFigures(
    data.problem,
    data.classes.map(({ validation }) => validation),
  );
  return { ...chance, ...named(guess) };
}

const named = (found: Metrics): Metrics =>
  Object.fromEntries(Object.entries(found).map(([figure, value]) => [`eval/validation/${figure}`, value]));

async function* measured(run: Running, { measurer }: LoopParts, abort: AbortSignal | undefined) {
  const outputs = await measurer.outputs(run.data.validation.source, abort);
  yield* Object.entries(named(figures(run.data.problem, outputs)));
}

function takeBetter(now: Progress, run: Running, step: number, found: Metrics): boolean {
  const name = bestName(run);
  const metric = `eval/validation/${name}`;
  const value = found[metric];
  if (value === undefined) return false; // AUROC where all samples are of one class
  const before = now.best;
  const candidate = { metric, mode: isLess(name) ? ("min" as const) : ("max" as const), value, step };
  const loss = found["eval/validation/loss"] ?? Infinity;
  const improved = betterOf(before, candidate) !== before;
  const better = improved || (before?.value === value && loss < now.bestLoss);
  if (better) [now.best, now.bestLoss] = [candidate, loss];
  now.stale = improved ? 0 : now.stale + 1;
  return better;
}

function describe(metrics: Metrics, rate: number, best: BestSoFar | null): string {
  const parts = [`loss ${metrics.loss!.toPrecision(3)}`];
  if (best) parts.push(`best ${best.metric.split("/").at(-1)} ${best.value.toFixed(4)} at step ${best.step}`);
  parts.push(`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} samples/s`);
  return parts.join(", ");
}

async function save(
  run: Running,
  { state, names }: LoopParts,
  now: Progress,
  { step, isDue }: { readonly step: number; readonly isDue: boolean },
): Promise<void> {
  const { recipe, out, seed, log } = run;
  const { model, optimizer } = saved(names);
  const { flava, node, engine } = run.record.info.environment;
  await log.flush();
  await saveCheckpoint(
    join(out, STAGE),
    {
      state: {
        stage: STAGE,
        step,
        seed,
        cursors: { [MEANS!]: now.recent.sums(), ...(now.place ? { [LOADER!]: now.place as never } : {}) },
        counters: {
          ...{ samples: now.samples, [STALE]: now.stale },
          ...(Number.isFinite(now.bestLoss) && { [BEST_LOSS]: now.bestLoss }),
          ...(isDue && { [EVALUATION_DUE]: 1 }),
        },
        best: now.best,
        recipe,
        recipeHash: hashOf(recipe),
        architecture: null,
        versions: { flava, node, engine },
      },
      model: storeEntries(state, model),
      optimizer: storeEntries(state, optimizer),
    },
    { limit: 1 },
  );
}
