/** Measures a run's model: by the evaluators of each stage, and once at the end. */
import { gatherTexts } from "../../cluster/index.ts";
import type { EvaluationContext, Evaluator } from "../../evaluators/index.ts";
import type { Metrics } from "../../train/index.ts";
import type { HeldOut } from "../stages/stage.ts";
import { kindOf, modelOf } from "../tables.ts";
import type { RunContext, StageRun } from "./context.ts";

/** The stage's model as evaluators and pictures ask it. */
export const evaluationContext = (
  { recipe, tables, device, tokenizer, signal }: RunContext,
  { state }: StageRun,
): EvaluationContext => ({
  model: modelOf(tables, recipe),
  device,
  state,
  tokenizer,
  batchSize: recipe.evaluation.batchSize,
  seed: recipe.seed,
  signal,
});

/** The evaluators of a stage. */
export function evaluatorsOf(context: RunContext, held: HeldOut, run: StageRun): Evaluator[] {
  const { recipe, tables } = context;
  const kind = kindOf(tables, run.stage);
  const all = kind.evaluators?.(evaluationContext(context, run), held, run.stage, recipe) ?? [];
  return all.filter((evaluator) => evaluator !== undefined);
}

type Workers = Pick<RunContext, "cluster" | "signal">;

/** All that the evaluators find, by `<evaluator>/<metric>`. */
export async function* measured(
  evaluators: readonly Evaluator[],
  step: number,
  workers: Workers,
): AsyncGenerator<readonly [metric: string, value: number]> {
  for await (const [{ name }, metric, value] of scoresOf(evaluators, step, workers)) yield [`${name}/${metric}`, value];
}

/**
 * What each evaluator finds. Workers share them out, each evaluator to one of them, and all have all results: the model is the same everywhere,
 * so they are those of one worker.
 */
async function* scoresOf(
  evaluators: readonly Evaluator[],
  step: number,
  workers: Workers,
): AsyncGenerator<readonly [from: Evaluator, metric: string, value: number]> {
  if (workers.cluster.size === 1) {
    for (const evaluator of evaluators)
      for await (const [metric, value] of evaluator.run(step, workers.signal)) yield [evaluator, metric, value];
    return;
  }
  for (const [i, scores] of (await sharedOut(evaluators, step, workers)).entries())
    for (const [metric, value] of scores) yield [evaluators[i]!, metric, value ?? Number.NaN];
}

/** JSON has no NaN. */
type Scores = readonly (readonly [metric: string, value: number | null])[];

/** Runs every evaluator on one worker, and gives each its `chance` on all. */
async function sharedOut(
  evaluators: readonly Evaluator[],
  step: number,
  { cluster, signal }: Workers,
): Promise<Scores[]> {
  const own: { i: number; scores: Scores; chance: Metrics }[] = [];
  for (const [i, evaluator] of evaluators.entries()) {
    if (i % cluster.size !== cluster.rank) continue;
    const scores: (readonly [string, number])[] = [];
    for await (const score of evaluator.run(step, signal)) scores.push(score);
    own.push({ i, scores, chance: evaluator.chance ?? {} });
  }
  const all: Scores[] = evaluators.map(() => []);
  for (const text of await gatherTexts(cluster, JSON.stringify(own)))
    for (const { i, scores, chance } of JSON.parse(text) as typeof own) {
      all[i] = scores;
      if (evaluators[i]!.chance) Object.assign(evaluators[i]!.chance, chance);
    }
  return all;
}

/** What guesses score, by the same names. */
export const guesses = (evaluators: readonly Evaluator[]): Metrics =>
  Object.fromEntries(
    evaluators.flatMap(({ name, chance = {} }) =>
      Object.entries(chance).map(([metric, value]) => [`${name}/${metric}`, value] as const),
    ),
  );

/**
 * The numbers of the test sets, and what guesses score. They are measured once, at the end: no checkpoint is chosen by them. Workers share the sets
 * out; all call this.
 */
export async function finalNumbers(
  context: RunContext,
  { test }: HeldOut,
  run: StageRun,
): Promise<{ readonly results: Metrics; readonly chance: Metrics }> {
  const { reporter, signal, tables, cluster } = context;
  const kind = kindOf(tables, run.stage);
  const evaluators: Evaluator[] = [];
  try {
    for (const [name, pairs] of Object.entries(test)) {
      const evaluator = kind.test?.(evaluationContext(context, run), run.stage, { name, pairs });
      if (evaluator) evaluators.push({ ...evaluator, name });
    }
    if (evaluators.length > 0) reporter.note(`measuring ${evaluators.map(({ name }) => name).join(", ")}…`);
    return await numbersOf(evaluators, run.stage.steps, { cluster, signal });
  } finally {
    for (const evaluator of evaluators) evaluator.dispose?.();
  }
}

/** By `<set>_<metric>`, first places over chance among them. */
async function numbersOf(
  evaluators: readonly Evaluator[],
  step: number,
  workers: Workers,
): Promise<{ readonly results: Metrics; readonly chance: Metrics }> {
  const results: Record<string, number> = {};
  const chance: Record<string, number> = {};
  for await (const [{ name: set }, metric, value] of scoresOf(evaluators, step, workers))
    results[`${set}_${metric}`] = value;
  for (const { name: set, chance: levels = {} } of evaluators)
    for (const [metric, level] of Object.entries(levels)) {
      const value = results[`${set}_${metric}`];
      if (value === undefined) continue;
      chance[`${set}_${metric}`] = level;
      if (metric.endsWith("_r1")) results[`${set}_${metric}_over_chance`] = value / level;
    }
  return { results, chance };
}
