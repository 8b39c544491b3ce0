/** `--tiny`: any recipe with a small model, few steps and synthetic data, to see in about a minute that all of it runs. */
import type { StageBase } from "../stages/stage.ts";
import { TINY } from "../stages/tiny.ts";
import { familyOf, kindOf, type Tables } from "../tables.ts";
import type { InitFrom, Recipe, WeightedSource } from "./types.ts";

/** The same stages, losses, ratios and schedules, small. Weights from files become random. */
export function tinyRecipe(tables: Tables, recipe: Recipe): Recipe {
  const { data, evaluation } = recipe;
  const stages = Object.entries(recipe.stages).map(([name, stage]) => [name, tinyStage(tables, recipe, stage)]);
  return {
    ...recipe,
    name: `${recipe.name}-tiny`,
    runDir: `${recipe.runDir}-tiny`,
    model: familyOf(tables, recipe).tiny(recipe.model) as Recipe["model"],
    vocabulary: { kind: "reduced", path: null, minCount: 1, minCaptionCount: 1 },
    data: {
      ...data,
      pairs: synthetic(data.pairs, 0),
      images: synthetic(data.images, 1),
      texts: synthetic(data.texts, 2),
      shuffle: 32,
    },
    evaluation: {
      validation: syntheticSets(evaluation.validation, 3),
      test: syntheticSets(evaluation.test, 100),
      texts: evaluation.texts.length === 0 ? [] : [shapes(16, 200)],
      labelled: evaluation.labelled && { train: shapes(32, 300), test: shapes(16, 301) },
      boxes: syntheticSets(evaluation.boxes, 400),
      maxPairs: 16,
      batchSize: TINY.batchSize,
    },
    stages: Object.fromEntries(stages) as Recipe["stages"],
  };
}

const shapes = (count: number, seed: number) =>
  ({ type: "synthetic", count, size: TINY.grid * TINY.patch, seed }) as const;

const synthetic = (sources: readonly WeightedSource[], seed: number): WeightedSource[] =>
  sources.length === 0 ? [] : [{ source: shapes(64, seed), weight: 1 }];

const syntheticSets = (
  sets: Readonly<Record<string, unknown>>,
  seed: number,
): Record<string, ReturnType<typeof shapes>> =>
  Object.fromEntries(Object.keys(sets).map((name, i) => [name, shapes(16, seed + i)]));

function tinyStage(tables: Tables, recipe: Recipe, stage: StageBase): StageBase {
  const small: StageBase = {
    ...stage,
    steps: Math.min(stage.steps, TINY.steps),
    batchSize: TINY.batchSize,
    gradientAccumulationSteps: Math.min(stage.gradientAccumulationSteps, 2),
    schedule: { ...stage.schedule, warmupSteps: Math.min(stage.schedule.warmupSteps, 2), decaySteps: null },
    every: { log: 1, eval: TINY.steps / 2, save: TINY.steps / 2 },
    init: inMemory(stage.init),
  };
  return kindOf(tables, stage).tiny?.(small, recipe) ?? small;
}

const inMemory = (init: Readonly<Record<string, InitFrom>>): Record<string, InitFrom> =>
  Object.fromEntries(Object.entries(init).map(([part, from]) => [part, typeof from === "string" ? from : "random"]));
