/** The training loop. Everything a run does during training is called from here. */
import { NonFiniteError, settled } from "../errors.ts";
import type { Batch, Metrics } from "./plan.ts";

/** Everything the loop calls. */
export interface Loop {
  readonly stage: string;
  /** The last step that is done; 0 at the start. */
  readonly done: number;
  readonly steps: number;
  /** Whether the evaluation of step `done` is still due, since Ctrl-C cut it off: it comes before anything else. */
  readonly evaluationDue?: boolean | undefined;
  /** Intervals in steps; 0 is never. The last step is always logged, evaluated and saved. */
  readonly every: { readonly log: number; readonly eval: number; readonly save: number };
  /** Batch `step`; called one step ahead, so that it is made while the engine works. */
  next(step: number): Promise<Batch>;
  /** One update; resolves to scalars, "loss" among them. */
  update(step: number, batch: Batch): Promise<Metrics>;
  /** Measures the model on held-out data, one number after another; the first failure ends the run. */
  evaluate(step: number, signal?: AbortSignal): AsyncIterable<readonly [metric: string, value: number]>;
  /** Called after every step; `due` says whether the step is written to the log. */
  log(step: number, metrics: Metrics, due: boolean): void | Promise<void>;
  /** Takes the results of the evaluation; resolves to whether they are the best so far, which is saved at once. */
  evaluated(step: number, found: Metrics): Promise<boolean>;
  /** `evaluationDue`: the step was to be evaluated and has not been. `times`: those up to now. */
  save(step: number, evaluationDue: boolean, times: Times): Promise<void>;
}

/** Where the time of a run goes, in seconds. */
export interface Times {
  /** Waiting for a batch that was not ready. */
  data: number;
  engine: number;
  evaluation: number;
  saving: number;
  total: number;
}

/** Whether all steps are done, or a signal stopped the training before. */
export type Ending = "done" | "stopped";

/**
 * Runs the steps that are left. When `signal` fires, the current step is finished and saved, and the result is "stopped".
 * @throws NonFiniteError when a loss stops being finite; the last checkpoint stays as it is.
 */
export async function train(loop: Loop, signal?: AbortSignal): Promise<{ ending: Ending; step: number; times: Times }> {
  const { steps, every } = loop;
  const times: Times = { data: 0, engine: 0, evaluation: 0, saving: 0, total: 0 };
  const begun = performance.now();
  const upToNow = (): Times => ({ ...times, total: (performance.now() - begun) / 1000 });
  let step = loop.done;
  const batchAfter = (at: number): Promise<Batch> | undefined => {
    const batch = at < steps ? loop.next(at + 1) : undefined;
    if (batch) void settled(batch); // rejects where it is awaited
    return batch;
  };
  let ahead = batchAfter(step);
  if (loop.evaluationDue && !signal?.aborted) {
    const outcome = await timed(times, "evaluation", evaluate(loop, step, signal));
    if (outcome !== "cut") await timed(times, "saving", loop.save(step, false, upToNow()));
  }
  while (step < steps && !signal?.aborted) {
    step++;
    const batch = await timed(times, "data", ahead!);
    ahead = batchAfter(step);
    const metrics = await timed(times, "engine", loop.update(step, batch));
    checkFinite(loop.stage, step, batch, metrics);

    await loop.log(step, { ...metrics, ...shares(times, begun) }, due(step, every.log, steps));
    const measured = due(step, every.eval, steps);
    const outcome = measured ? await timed(times, "evaluation", evaluate(loop, step, signal)) : "other";
    if (outcome !== "other" || due(step, every.save, steps) || signal?.aborted)
      await timed(times, "saving", loop.save(step, outcome === "cut", upToNow()));
  }
  return { ending: step < steps ? "stopped" : "done", step, times: upToNow() };
}

const due = (step: number, interval: number, last: number): boolean =>
  step === last || (interval > 0 && step % interval === 0);

/** How an evaluation ended: the best so far or not, or cut off by Ctrl-C, in which case the step is still saved. */
type Outcome = "best" | "other" | "cut";

async function evaluate(loop: Loop, step: number, signal: AbortSignal | undefined): Promise<Outcome> {
  const found: Record<string, number> = {};
  try {
    for await (const [metric, value] of loop.evaluate(step, signal)) found[metric] = value;
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
  if (signal?.aborted) return "cut";
  return (await loop.evaluated(step, found)) ? "best" : "other";
}

function checkFinite(stage: string, step: number, batch: Batch, metrics: Metrics): void {
  const bad = Object.entries(metrics).filter(([, value]) => !Number.isFinite(value));
  if (bad.length === 0) return;
  const names = batch.samples.slice(0, 8).join(", ");
  throw new NonFiniteError(
    `${stage}: step ${step} (${batch.kind} batch): ${bad.map(([name, value]) => `${name} became ${value}`).join(", ")}; ` +
      `samples ${names}${batch.samples.length > 8 ? ", …" : ""}`,
    "the last checkpoint is untouched: resume from it with a lower learning rate, or look at these samples",
  );
}

async function timed<T>(times: Times, what: "data" | "engine" | "evaluation" | "saving", work: Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work;
  } finally {
    times[what] += (performance.now() - start) / 1000;
  }
}

function shares(times: Times, begun: number): Metrics {
  const total = (performance.now() - begun) / 1000;
  return { "time/data": times.data / total, "time/engine": times.engine / total };
}
