/** Measures a run's model: by the evaluators of each stage, and once at the end. */
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

/** All that the evaluators find, by `<evaluator>/<metric>`. */
export async function* measured(
  evaluators: readonly Evaluator[],
  step: number,
  signal?: AbortSignal,
): AsyncGenerator<readonly [metric: string, value: number]> {
  for (const { name, run } of evaluators)
    for await (const [metric, value] of run(step, signal)) yield [`${name}/${metric}`, value];
}

/** What guesses score, by the same names. */
export const guesses = (evaluators: readonly Evaluator[]): Metrics =>
  Object.fromEntries(
    evaluators.flatMap(({ name, chance = {} }) =>
      Object.entries(chance).map(([metric, value]) => [`${name}/${metric}`, value] as const),
    ),
  );

/** The numbers of the test sets, and what guesses score. They are measured once, at the end: no checkpoint is chosen by them. */
export async function finalNumbers(
  context: RunContext,
  { test }: HeldOut,
  run: StageRun,
): Promise<{ readonly results: Metrics; readonly chance: Metrics }> {
  const { reporter, signal, tables } = context;
  const kind = kindOf(tables, run.stage);
  const results: Record<string, number> = {};
  const chance: Record<string, number> = {};
  for (const [name, pairs] of Object.entries(test)) {
    const evaluator = kind.test?.(evaluationContext(context, run), run.stage, { name, pairs });
    if (!evaluator) continue;
    reporter.note(`measuring ${name}…`);
    try {
      for await (const [metric, value] of evaluator.run(run.stage.steps, signal)) results[`${name}_${metric}`] = value;
      for (const [metric, level] of Object.entries(evaluator.chance ?? {})) {
        const value = results[`${name}_${metric}`];
        if (value === undefined) continue;
        chance[`${name}_${metric}`] = level;
        if (metric.endsWith("_r1")) results[`${name}_${metric}_over_chance`] = value / level;
      }
    } finally {
      evaluator.dispose?.();
    }
  }
  return { results, chance };
}
