/** One stage of a run: traces it, fills its state, and runs the loop with logs, evaluation and checkpoints. */
import { join } from "node:path";
import type { LoaderState } from "../../data/index.ts";
import type { Evaluator } from "../../evaluators/index.ts";
import type { Json } from "../../io/index.ts";
import {
  type BestSoFar,
  betterOf,
  EVALUATION_DUE,
  evaluationDue,
  hashOf,
  type StageProgress,
  saveCheckpoint,
  storeEntries,
} from "../../record/index.ts";
import { State } from "../../runtime/index.ts";
import {
  type Batch,
  createUpdater,
  declaredState,
  type Means,
  type Metrics,
  means,
  type Sums,
  traceSteps,
  train,
  type Updater,
} from "../../train/index.ts";
import type { Stage } from "../recipe/types.ts";
import { planOf } from "../tables.ts";
import { architectureOf, type Resumed, type RunContext, type StageOutcome, type StageRun } from "./context.ts";
import { guesses, measured } from "./evaluation.ts";
import { requireUsable } from "./first-samples.ts";
import { writeFirstValues } from "./first-values.ts";
import { precisionOf } from "./precision.ts";
import { lossBoard } from "./reporter.ts";
import { recipeHash } from "./resumable.ts";
import { CURSORS, openData, type StageData } from "./stage-data.ts";
import { fillState, type Names, takeResult } from "./stage-state.ts";
import { fewFiles } from "./warnings.ts";
import { checkAlike, checkState, shareState } from "./workers.ts";

/** What is done with a stage's model besides training it. */
export interface StageHooks {
  evaluators(run: StageRun): readonly Evaluator[];
  /** Called before the first step. */
  begun(run: StageRun): Promise<void>;
  /** Called after every checkpoint with what this process has done of the stage. */
  saved(progress: StageProgress): Promise<void>;
  /** Called while the state of a finished stage is still in the engine. */
  finished(run: StageRun): Promise<void>;
}

/** Runs a stage from its start, or from a checkpoint. Throws NonFiniteError, CheckpointError, DataError, FileError. */
export async function runStage(
  context: RunContext,
  name: string,
  hooks: StageHooks,
  resumed?: Resumed,
): Promise<StageOutcome> {
  const { recipe, tables, device, reporter, signal, cluster } = context;
  const stage = recipe.stages[name]!;
  const plan = planOf(tables, recipe, stage);
  await requireUsable(context, plan);
  reporter.note(`${name}: tracing the steps…`);
  const graphs = await traceSteps(name, stage, plan, { workers: cluster.size, signal });
  const declared = declaredState(graphs, plan);
  using state = new State(device);
  const names = await fillState(context, { name, stage, plan, ...declared, state }, resumed);
  if (!resumed && cluster.rank === 0) await writeFirstValues(context, stage, plan, state);
  await shareState(cluster, state);
  const note = (line: string): void => reporter.note(line);
  const updater = await createUpdater({
    options: stage,
    plan,
    graphs,
    state,
    device,
    precision: precisionOf(recipe),
    note,
    signal,
    cluster,
  });
  const run: StageRun = {
    name,
    stage,
    state,
    chance: declared.chance,
    parameters: names.trained,
    modelEntries: () => storeEntries(state, names.model, names.aliases),
  };
  const evaluators = hooks.evaluators(run);
  const data = await openData(context, name, plan, stage, resumed);
  try {
    await hooks.begun(run);
    const outcome = await runLoop(context, run, { updater, evaluators, data, names, resumed, saved: hooks.saved });
    if (outcome.ending === "done" && !signal?.aborted) {
      if (cluster.rank === 0) await takeResult(join(context.runDir, name), state, names, outcome.step);
      await hooks.finished(run);
    }
    return outcome;
  } finally {
    reporter.end();
    await data.close();
    for (const evaluator of evaluators) evaluator.dispose?.();
    updater.dispose();
  }
}

/** Steps between two comparisons of the workers' parameters. */
const COMPARE_EVERY = 500;

const compares = (step: number, last: number): boolean => step === 1 || step === last || step % COMPARE_EVERY === 0;

/** The cursor of the means between two lines of the log. */
const MEANS = "means";

interface LoopParts {
  readonly updater: Updater;
  readonly evaluators: readonly Evaluator[];
  readonly data: StageData;
  readonly names: Names;
  readonly resumed: Resumed | undefined;
  readonly saved: StageHooks["saved"];
}

/** The loop with everything that it calls. */
async function runLoop(context: RunContext, run: StageRun, parts: LoopParts): Promise<StageOutcome> {
  const { reporter, log, signal, cluster, meet } = context;
  const { name, stage, state } = run;
  const { updater, evaluators, data, names, resumed } = parts;
  const board = lossBoard(run.chance);
  const now = progressOf(resumed);
  const first = (resumed?.step ?? 0) + 1;
  const begun = { time: performance.now(), samples: now.samples };
  reporter.begin(name, stage.steps, resumed?.step ?? 0);
  const { ending, step, times } = await train(
    {
      stage: name,
      done: resumed?.step ?? 0,
      evaluationDue: resumed && evaluationDue(resumed.state),
      steps: stage.steps,
      every: stage.every,
      next: (step) => data.next(step),
      update: async (step, batch) => {
        const { place } = batch as Batch & { place: LoaderState };
        if (step === first) await checkFiles(place.files ?? {}, context);
        const metrics = await updater.update(step, batch);
        now.place = place;
        now.samples += batch.samples.length * cluster.size;
        if (compares(step, stage.steps)) await checkState(cluster, state, names.model, step);
        await meet();
        return metrics;
      },
      evaluate: (step, abort) => measured(evaluators, step, { cluster, signal: abort }),
      async log(step, metrics, due) {
        now.recent.add(metrics);
        const seconds = (performance.now() - begun.time) / 1000;
        const rate = { samples_per_second: (now.samples - begun.samples) / seconds };
        reporter.step(step, board.update({ ...metrics, ...rate }));
        if (due) await log.log(name, step, { ...now.recent.take(), ...rate, samples: now.samples });
      },
      async evaluated(step, results) {
        const found = heldOutNames(results);
        if (Object.keys(found).length > 0) await log.log(name, step, found);
        return takeBest(now, stage, step, found);
      },
      async save(step, isDue, spent) {
        await updater.gather();
        await save(context, run, { names: parts.names, now, step, evaluationDue: isDue });
        const { total: seconds, ...times } = spent;
        await parts.saved({ done: step, samples: now.samples, seconds, times });
      },
    },
    signal,
  );
  const chance = { ...run.chance, ...heldOutNames(guesses(evaluators)) };
  return { ending, step, samples: now.samples, times, chance };
}

/** The files that the workers read: alike on all, and said where they are few. */
async function checkFiles(files: NonNullable<LoaderState["files"]>, { cluster, reporter }: RunContext): Promise<void> {
  await checkAlike(cluster, { "hash of the data's files": hashOf(files as unknown as Json) });
  if (cluster.size > 1) for (const line of fewFiles(files, cluster.size)) reporter.note(`warning: ${line}`);
}

/** What is measured on held-out data has names of its own, `eval/…`: training logs `mim/accuracy` too. */
const heldOutNames = (found: Metrics): Metrics =>
  Object.fromEntries(Object.entries(found).map(([name, value]) => [`eval/${name}`, value]));

/** Where a stage stands besides its tensors. */
interface Progress {
  place: LoaderState | undefined;
  samples: number;
  best: BestSoFar | null;
  readonly recent: Means;
}

const progressOf = (resumed: Resumed | undefined): Progress => ({
  place: resumed?.state.cursors[CURSORS] as LoaderState | undefined,
  samples: resumed?.state.counters.samples ?? 0,
  best: resumed?.state.best ?? null,
  recent: means(resumed?.state.cursors[MEANS] as Sums | undefined),
});

/** Remembers the results if they are the best so far by the stage's metric, and says whether they are. */
function takeBest(now: Progress, { best }: Stage, step: number, found: Metrics): boolean {
  const value = best && found[best.metric];
  if (!best || typeof value !== "number") return false;
  const better = betterOf(now.best, { ...best, value, step });
  const improved = better !== now.best;
  now.best = better;
  return improved;
}

interface Saving {
  readonly names: Names;
  readonly now: Progress;
  readonly step: number;
  /** The step was to be evaluated and has not been. */
  readonly evaluationDue: boolean;
}

async function save(context: RunContext, run: StageRun, saving: Saving): Promise<void> {
  if (context.cluster.rank > 0) return;
  const { recipe, runDir, log, versions } = context;
  const { name, stage, state } = run;
  const { names, now, step } = saving;
  const json = recipe as unknown as Json;
  await log.flush();
  await saveCheckpoint(
    join(runDir, name),
    {
      state: {
        stage: name,
        step,
        seed: recipe.seed,
        cursors: { [MEANS]: now.recent.sums(), ...(now.place ? { [CURSORS]: now.place as unknown as Json } : {}) },
        counters: { samples: now.samples, ...(saving.evaluationDue ? { [EVALUATION_DUE]: 1 } : {}) },
        best: now.best,
        recipe: json,
        recipeHash: recipeHash(json, name),
        architecture: architectureOf(recipe),
        versions,
      },
      model: storeEntries(state, names.model, names.aliases),
      optimizer: storeEntries(state, names.optimizer),
    },
    { limit: stage.saveTotalLimit },
  );
}
