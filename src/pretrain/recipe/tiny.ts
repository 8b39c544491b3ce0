/** `--tiny`: any recipe with a small model, few steps and synthetic data, to see in about a minute that all of it runs. */

import type { FlavaConfig, TransformerConfig } from "../../models/flava/config.ts";
import { gridSize } from "../../models/flava/config.ts";
import type { InitFrom, PatchMasking, Ramp, Recipe, Stage, StageBase, WeightedSource } from "./types.ts";

const GRID = 4;
const PATCH = 8;
const TOKENS = 16;
const STEPS = 6;
const BATCH = 8;
const WORDS = 32;

/** The same stages, losses, ratios and schedules, small. Weights from files become random. */
export function tinyRecipe(recipe: Recipe): Recipe {
  const stages = Object.entries(recipe.stages).map(([name, stage]) => [name, tinyStage(recipe, stage)]);
  return {
    ...recipe,
    name: `${recipe.name}-tiny`,
    runDir: `${recipe.runDir}-tiny`,
    model: tinyModel(recipe.model),
    vocabulary: { kind: "reduced", path: null, minCount: 1, minCaptionCount: 1 },
    data: {
      ...recipe.data,
      pairs: synthetic(recipe.data.pairs, 0),
      images: synthetic(recipe.data.images, 1),
      texts: synthetic(recipe.data.texts, 2),
      shuffle: 32,
    },
    evaluation: {
      validation: syntheticSets(recipe.evaluation.validation, 3),
      test: syntheticSets(recipe.evaluation.test, 100),
      texts: recipe.evaluation.texts.length === 0 ? [] : [shapes(16, 200)],
      labelled: recipe.evaluation.labelled && { train: shapes(32, 300), test: shapes(16, 301) },
      maxPairs: 16,
      batchSize: BATCH,
    },
    stages: Object.fromEntries(stages) as Recipe["stages"],
  };
}

const shapes = (count: number, seed: number) => ({ type: "synthetic", count, size: GRID * PATCH, seed }) as const;

const synthetic = (sources: readonly WeightedSource[], seed: number): WeightedSource[] =>
  sources.length === 0 ? [] : [{ source: shapes(64, seed), weight: 1 }];

const syntheticSets = (
  sets: Readonly<Record<string, unknown>>,
  seed: number,
): Record<string, ReturnType<typeof shapes>> =>
  Object.fromEntries(Object.keys(sets).map((name, i) => [name, shapes(16, seed + i)]));

function tinyModel(model: FlavaConfig): FlavaConfig {
  const small = <T extends TransformerConfig>(encoder: T): T => ({
    ...encoder,
    hiddenSize: 32,
    layers: Math.min(encoder.layers, 2),
    heads: 2,
    intermediateSize: 64,
  });
  return {
    ...model,
    image: { ...small(model.image), imageSize: GRID * PATCH, patchSize: PATCH, vocabSize: WORDS },
    text: { ...small(model.text), maxPositions: TOKENS },
    multimodal: small(model.multimodal),
    codebook: model.codebook && { ...model.codebook, blocksPerGroup: 1, hiddenSize: 8, vocabSize: WORDS },
    projectionDim: 16,
  };
}

function tinyBase(stage: StageBase): Partial<StageBase> {
  const micro = Math.min(stage.gradientAccumulationSteps, 2);
  return {
    steps: Math.min(stage.steps, STEPS),
    batchSize: BATCH,
    gradientAccumulationSteps: micro,
    schedule: { ...stage.schedule, warmupSteps: Math.min(stage.schedule.warmupSteps, 2), decaySteps: null },
    every: { log: 1, eval: STEPS / 2, save: STEPS / 2 },
  };
}

function tinyStage(recipe: Recipe, stage: Stage): Stage {
  const base = { ...stage, ...tinyBase(stage), init: inMemory(stage.init) } as Stage;
  switch (base.kind) {
    case "dvae":
      return { ...base, imageSize: null, temperature: tinyRamp(base.temperature), kl: tinyRamp(base.kl) };
    case "text-mlm":
      return { ...base, textLength: TOKENS };
    case "image-mim":
      return { ...base, masking: tinyMasking(recipe, base.masking) };
    case "image-dino":
      return {
        ...base,
        localCrops: { ...base.localCrops, count: Math.min(base.localCrops.count, 2), size: (GRID / 2) * PATCH },
        head: { ...base.head, hiddenSize: 32, bottleneckSize: 16, outputSize: 64 },
        freezeLastLayerSteps: Math.min(base.freezeLastLayerSteps, 1),
        teacherTemperature: tinyRamp(base.teacherTemperature),
      };
    case "joint":
      return {
        ...base,
        imageBatchSize: null,
        textBatchSize: null,
        textLength: { pairs: TOKENS, texts: TOKENS },
        imageMasking: tinyMasking(recipe, base.imageMasking),
      };
  }
}

const tinyRamp = (ramp: Ramp): Ramp => ({ ...ramp, steps: Math.min(ramp.steps, STEPS) });

/** The same share of the patches, in blocks of two or more. */
function tinyMasking({ model }: Recipe, masking: PatchMasking): PatchMasking {
  const patches = Math.max(1, Math.round((masking.patches / gridSize(model.image) ** 2) * GRID ** 2));
  return { ...masking, patches, minBlock: Math.min(2, patches), maxBlock: null };
}

const inMemory = (init: Readonly<Record<string, InitFrom>>): Record<string, InitFrom> =>
  Object.fromEntries(Object.entries(init).map(([part, from]) => [part, typeof from === "string" ? from : "random"]));
