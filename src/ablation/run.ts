/** Runs an ablation: trains what is not trained, measures what is not measured, and writes the table. Whatever is done already stays. */
import { join } from "node:path";
import type { FlavaModel } from "../api/index.ts";
import { makeFolder, statOf } from "../io/index.ts";
import type { Recipe } from "../pretrain/recipe/index.ts";
import { resultOf } from "../pretrain/run/initial.ts";
import { createSources, runTokenizer } from "../pretrain/run/inputs.ts";
import type { RunReporter } from "../pretrain/run/reporter.ts";
import { pretrain } from "../pretrain/run/run.ts";
import { findRunInfo, RECIPE_FILE } from "../record/index.ts";
import {
  type CellEvent,
  evaluate,
  MEASURES,
  type Measure,
  measures,
  type ResultTable,
  requireTask,
  type Task,
} from "../tasks/index.ts";
import { type ColumnTraining, costsOf, suits, trainingOf } from "./describe.ts";
import { type AblationPlan, type PlannedRun, TOKENIZER } from "./plan.ts";
import { recordAblation } from "./record.ts";
import { ablationTable, CELLS, writeTables } from "./table.ts";

/** How an ablation reports and stops. */
export interface AblationOptions {
  /** Below which the tasks' data lie. */
  readonly dataRoot?: string | undefined;
  /** Where features are kept. */
  readonly cacheDir?: string | undefined;
  /** What does the same. */
  readonly command: string;
  readonly open?: ((path: string) => Promise<FlavaModel>) | undefined;
  readonly note?: ((line: string) => void) | undefined;
  /** Called with the share of all work that is done, 0..1, and what is being done. */
  readonly onProgress?: ((done: number, what: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The table, where it was written, and what could not be measured. */
export interface AblationResult {
  readonly table: ResultTable;
  readonly files: readonly string[];
  readonly failed: readonly CellEvent[];
}

/**
 * Trains and measures. Stopped, or killed, the same call goes on where it was. Throws ConfigError where the folder was made by another
 * ablation, and what `pretrain` and `evaluate` throw.
 */
export async function runAblation(plan: AblationPlan, options: AblationOptions): Promise<AblationResult> {
  const { out, file, columns, tables } = plan;
  for (const task of file.tasks) await requireTask(task, options.dataRoot ?? ".", options.signal);
  const trainings = new Map<string, ColumnTraining>();
  for (const column of columns) trainings.set(column.key, await trainingOf(column, tables));
  await makeFolder(out);
  const record = await recordAblation(plan, [...trainings.values()]);
  await makeTokenizer(plan, options);
  const work = await workOf(plan);
  const failed: CellEvent[] = [];
  for (const run of plan.runs) {
    options.signal?.throwIfAborted();
    await trained(run, work, plan, options);
    if (run.column === undefined) continue;
    const tasks = file.tasks.filter((task) => suits(trainings.get(run.column!)!, task) && waysOf(task).length > 0);
    failed.push(...(await measured(run, tasks, { work, plan, options })));
    await writeTables(out, await ablationTable(out, record), record);
  }
  const table = await ablationTable(out, record);
  return { table, files: await writeTables(out, table, record), failed };
}

/** One for all runs: their words are the same. */
async function makeTokenizer(
  { base, out }: AblationPlan,
  { signal, note = () => undefined }: AblationOptions,
): Promise<void> {
  if (base.vocabulary.kind !== "reduced") return;
  await runTokenizer(base, createSources(base, signal, note), join(out, TOKENIZER), { signal, note });
}

/** Ways of measuring without a row of their own in the table, or not of a model. */
const ASIDE: readonly Measure[] = ["zeroshot_classification", "words_alone"];

/** Ways of measuring that the table has rows for. */
export const waysOf = (task: Task): Measure[] =>
  MEASURES.filter((measure) => !ASIDE.includes(measure) && measures[measure].suits(task));

/** What of all work is done. */
interface Work {
  /** By the run: seconds, of which only the ratios count. */
  readonly weights: ReadonlyMap<PlannedRun, number>;
  readonly total: number;
  done: number;
}

/** Operations a second: only ratios count. */
const ANY_SPEED = 5e10;

/** What measuring a column takes beside training it. */
const MEASURE_SECONDS = 60;

async function workOf(plan: AblationPlan): Promise<Work> {
  const costs = await costsOf(plan, { speed: ANY_SPEED });
  const weights = new Map(costs.map(({ run, seconds, samples }) => [run, seconds ?? samples]));
  const columns = plan.runs.filter(({ column }) => column !== undefined).length;
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0) + columns * MEASURE_SECONDS;
  return { weights, total, done: 0 };
}

/** Trains a run, or goes on with it, unless it is done. */
async function trained(
  run: PlannedRun,
  work: Work,
  { out, tables }: AblationPlan,
  options: AblationOptions,
): Promise<void> {
  const { signal, note, command } = options;
  const { runDir } = run.recipe;
  const weight = work.weights.get(run)!;
  const status = (await findRunInfo(runDir))?.status;
  if (status !== "done") {
    note?.(`${run.title}: ${status ? "goes on in" : "trains in"} ${runDir}`);
    const begun = (await statOf(join(runDir, RECIPE_FILE))) !== undefined;
    const request = { recipe: await withResults(run.recipe, out), command, ...(begun && { resume: "latest" }) };
    const reporter = reporterOf(run, { work, weight, options });
    const ended = await pretrain(request, { reporter, signal, tables });
    if (ended.status !== "done") signal?.throwIfAborted();
  }
  work.done += weight;
  options.onProgress?.(work.done / work.total, run.title);
}

/** `init` with the checkpoint that is the result of each shared stage. */
async function withResults(recipe: Recipe, out: string): Promise<Recipe> {
  const stages: Record<string, object> = {};
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const init: Record<string, unknown> = {};
    for (const [part, from] of Object.entries(stage.init))
      init[part] =
        typeof from !== "string" && from.path.startsWith(join(out, "shared"))
          ? { path: await resultOf(from.path) }
          : from;
    stages[name] = { ...stage, init };
  }
  return { ...recipe, stages: stages as Recipe["stages"] };
}

interface Reporting {
  readonly work: Work;
  readonly weight: number;
  readonly options: AblationOptions;
}

/** The run's steps as a share of all work. */
function reporterOf({ title, recipe }: PlannedRun, { work, weight, options }: Reporting): RunReporter {
  const total = Object.values(recipe.stages).reduce((sum, { steps }) => sum + steps, 0);
  let [stage, steps, before] = ["", 0, 0];
  return {
    note: (line) => options.note?.(`${title}: ${line}`),
    begin(name) {
      before += steps;
      [stage, steps] = [name, recipe.stages[name]!.steps];
    },
    step(step, text) {
      const done = work.done + (weight * (before + step)) / total;
      options.onProgress?.(done / work.total, `${title}: ${stage} ${step}/${steps}${text ? `, ${text}` : ""}`);
    },
    end: () => undefined,
  };
}

/** Measures a run on its tasks; what could not be measured comes back. */
async function measured(
  run: PlannedRun,
  tasks: readonly Task[],
  { work, plan, options }: { work: Work; plan: AblationPlan; options: AblationOptions },
): Promise<CellEvent[]> {
  const { dataRoot = ".", cacheDir, signal, open, note, onProgress } = options;
  const { column, seed, title } = run;
  const before = work.done;
  const each = MEASURE_SECONDS / Math.max(1, tasks.flatMap(waysOf).length);
  const events =
    tasks.length === 0
      ? []
      : await evaluate({
          models: [{ name: column!, path: run.recipe.runDir, seed }],
          tasks,
          measures: [...new Set(tasks.flatMap(waysOf))],
          ...{ dataRoot, out: join(plan.out, CELLS), seed, cacheDir, signal, open },
          onProgress: (what) => onProgress?.(work.done / work.total, `${title}: ${what}`),
          onCell: (event) => {
            work.done += each;
            onProgress?.(work.done / work.total, `${title}: ${event.task}`);
            if (event.state === "failed") note?.(`${title}: ${event.task}: not measured: ${event.error.message}`);
            if (event.state === "busy") note?.(`${title}: ${event.task}: another process is at it`);
          },
        });
  work.done = before + MEASURE_SECONDS;
  onProgress?.(work.done / work.total, title);
  return events.filter(({ state }) => state === "failed");
}
