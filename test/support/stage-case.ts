/** One tiny stage on synthetic data: its plan, its batches, and updates of it on any device. */
import { type Cluster, workersInProcess } from "../../src/cluster/index.ts";
import { createLoader, openSource } from "../../src/data/index.ts";
import { openData } from "../../src/datasets/index.ts";
import { singleStream } from "../../src/models/volta/index.ts";
import { initialTensor } from "../../src/nn/index.ts";
import { parseRecipe, type Recipe, type Stage } from "../../src/pretrain/recipe/index.ts";
import type { StagePlan } from "../../src/pretrain/stages/stage.ts";
import { planOf, tables, withVocabulary } from "../../src/pretrain/tables.ts";
import { type Device, State } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { bertTokenizer, SPECIAL_TOKENS, type TextTokenizer } from "../../src/text/index.ts";
import {
  type Batch,
  createUpdater,
  declaredState,
  type Metrics,
  traceSteps,
  type Updater,
} from "../../src/train/index.ts";
import { cutBatch } from "../../src/train/parts.ts";

/** Bytes: small tensors are shared out among workers too. */
export const SHARE_FROM = 256;

/** As much as it likes: the making of gradients is cut in pieces, however small. */
export const MAY_WAIT = Number.POSITIVE_INFINITY;

const SOURCE = { type: "synthetic", count: 24, size: 16, seed: 3 } as const;

/** 4 × 4 patches of 4 pixels, two layers of 16 an encoder, 12 visual words. */
export const RECIPE = {
  name: "case",
  threads: 1,
  variant: "small",
  model: {
    image: { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32, imageSize: 16, patchSize: 4, vocabSize: 12 },
    text: { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32, maxPositions: 12 },
    multimodal: { hiddenSize: 16, layers: 1, heads: 2, intermediateSize: 32 },
    codebook: { groups: 3, blocksPerGroup: 1, hiddenSize: 8, vocabSize: 12 },
    projectionDim: 8,
  },
  vocabulary: { kind: "reduced" },
  data: { pairs: [{ source: SOURCE }], images: [{ source: SOURCE }], texts: [{ source: SOURCE }], shuffle: 8 },
};

/** Eight samples a step, as large as its learning rate says from the first step on. */
const STAGE = { steps: 100, batchSize: 8, schedule: { kind: "constant", warmupSteps: 0 }, clipNorm: 1 };
const MASKING = { patches: 6, minBlock: 2 };
const LENGTHS = { pairs: 12, texts: 12 };

/** What each kind of stage needs beside STAGE to be tiny. */
export const KINDS: { readonly [K in Stage["kind"]]: object } = {
  dvae: { firstWords: "random", kl: { steps: 0 }, temperature: { start: 0.5, end: 0.5 }, ema: 0.9 },
  "text-mlm": { textLength: 12, pack: null },
  "image-mim": { masking: MASKING },
  "image-dino": {
    localCrops: { count: 2, size: 8 },
    head: { hiddenSize: 16, bottleneckSize: 8, outputSize: 10 },
    freezeLastLayerSteps: 0,
    teacherMomentum: [0.9, 1],
  },
  joint: { textLength: LENGTHS, imageMasking: MASKING, pack: null, itmNegativeRatio: 0.4 },
  clip: { textLength: 12 },
  simvlm: { textLength: LENGTHS },
  vilt: { textLength: 12, transportRounds: 5 },
  align: { textLength: 12 },
  vinvl: { textLength: 12, regions: { grid: 2 } },
  volta: { textLength: 12, regions: { grid: 2, most: 4 } },
  unit: { textLength: 12, backboneLr: 1 },
  albef: { textLength: 12, queueSize: 16, alphaSteps: 0 },
};

const LAYERS = { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32 };

/** What a recipe of another family has instead. */
export const FAMILIES: { readonly [K in Stage["kind"]]?: object } = {
  clip: {
    family: "clip",
    model: {
      image: { ...LAYERS, imageSize: 16, patchSize: 4 },
      text: { ...LAYERS, maxPositions: 12 },
      projectionDim: 8,
    },
  },
  align: {
    family: "align",
    model: {
      image: {
        ...{ imageSize: 16, widthCoefficient: 0.5, depthCoefficient: 1, depthDivisor: 4 },
        ...{ kernelSizes: [3, 3], inChannels: [32, 16], outChannels: [16, 24], strides: [1, 2] },
        ...{ repeats: [1, 2], expandRatios: [1, 4] },
      },
      text: { ...LAYERS, maxPositions: 12 },
      ...{ temperatureInit: 0.1, labelSmoothing: 0, initializerRange: 0.1 },
    },
  },
  unit: {
    family: "unit",
    model: {
      image: { ...LAYERS, layers: 1, imageSize: 32, width: 4, stages: [1, 1, 1, 1], frozenStem: false },
      text: { ...LAYERS, maxPositions: 12 },
      decoder: { ...LAYERS },
      tasks: {
        shapes: { kind: "detection", index: 0, labels: 6, queries: 4 },
        matching: { kind: "vl", index: 1, labels: 2, queries: 2, tokens: "all" },
      },
    },
  },
  simvlm: {
    family: "simvlm",
    model: {
      image: { stem: "patchify", imageSize: 16, patchSize: 4, stemWidth: 8, blocks: [16] },
      text: { maxPositions: 12 },
      ...{ hiddenSize: 16, heads: 2, intermediateSize: 32, encoderLayers: 2, decoderLayers: 2, initializerRange: 0.1 },
    },
  },
  albef: {
    family: "albef",
    model: {
      image: { ...LAYERS, imageSize: 16, patchSize: 4, initializerRange: 0.2 },
      text: { ...LAYERS, layers: 1, fusionLayers: 1, maxPositions: 12, initializerRange: 0.2 },
      projectionDim: 8,
    },
  },
  vilt: { family: "vilt", model: { ...LAYERS, image: { imageSize: 16, patchSize: 4 }, text: { maxPositions: 12 } } },
  vinvl: { family: "vinvl", model: { ...LAYERS, text: { maxPositions: 24 }, regions: { features: 12 } } },
  volta: {
    family: "volta",
    model: {
      ...{ hiddenSize: 16, heads: 2, intermediateSize: 32, poolerSize: 16, control: singleStream(2) },
      text: { maxPositions: 40 },
      regions: { features: 12, classes: 8, waves: 2 },
    },
  },
};

/** FLAVA's recipe with a kind of bimodal layers in place of its own, two of them: one inter-modal layer shows the picture to no CLS. */
export const withLayers = (layer: "single-stream" | "intra-modal" | "inter-modal" | "gated"): object => ({
  model: {
    ...RECIPE.model,
    multimodal: {
      ...RECIPE.model.multimodal,
      ...{ layers: 2, layer },
      ...(layer === "gated" && { gates: { textText: true, textVision: true, visionText: true, visionVision: false } }),
    },
  },
});

/** The four kinds of bimodal layers. */
export const LAYER_KINDS = ["single-stream", "intra-modal", "inter-modal", "gated"] as const;

export interface StageCase {
  readonly recipe: Recipe;
  readonly stage: Stage;
  readonly plan: StagePlan;
  readonly tokenizer: TextTokenizer;
}

/** A stage of this kind; `changes` are fields of it, but for `model`, which is the recipe's. */
export async function stageCase(
  kind: Stage["kind"],
  { model, ...changes }: { readonly model?: unknown; readonly [field: string]: unknown } = {},
): Promise<StageCase> {
  const tokenizer = await wordsOf();
  const stage = { ...STAGE, ...KINDS[kind], kind, ...changes };
  const parsed = parseRecipe({ ...RECIPE, ...FAMILIES[kind], ...(model ? { model } : {}), stages: { only: stage } });
  const recipe = withVocabulary(tables, parsed, tokenizer);
  return { recipe, stage: recipe.stages.only!, plan: planOf(tables, recipe, recipe.stages.only!), tokenizer };
}

/** A tokenizer of the captions' words. */
async function wordsOf(): Promise<TextTokenizer> {
  const words = new Set<string>();
  for await (const { sample } of (await openSource(SOURCE)).samples())
    for (const word of sample.texts![0]!.split(" ")) words.add(word);
  return bertTokenizer([...SPECIAL_TOKENS, ...words]);
}

/** The first `count` batches of the stage, of the kinds that its ratios draw. */
export async function firstBatches({ recipe, plan, tokenizer }: StageCase, count: number): Promise<Batch[]> {
  const datasets = await Promise.all(
    plan.datasets.map(async ({ kind, data, task: _, ...dataset }) => ({
      ...dataset,
      name: kind,
      batchSize: plan.objectives[kind]!.batchSize,
      shuffle: recipe.data.shuffle,
      sources: await Promise.all(
        recipe.data[data].map(async ({ source, ...read }) => ({ ...read, source: await openData(source) })),
      ),
    })),
  );
  await using loader = await createLoader({ seed: recipe.seed, datasets, tokenizer });
  const batches: Batch[] = [];
  for (let step = 1; step <= count; step++) {
    const { dataset, feeds, samples } = await loader.next(step);
    batches.push({ kind: dataset, feeds, samples });
  }
  return batches;
}

/** A stage in the state that it starts from. */
export interface Started extends Disposable {
  readonly state: State;
  readonly updater: Updater;
  /** Everything in the state but sums over micro-batches. */
  tensors(): Promise<Record<string, Tensor>>;
}

/** Compiles the stage and gives it its first values, drawn from the recipe's seed. */
export async function startStage(
  { recipe, stage, plan }: StageCase,
  device: Device,
  cluster?: Cluster,
  shareFrom = SHARE_FROM,
): Promise<Started> {
  const workers = cluster?.size ?? 1;
  const graphs = await traceSteps("only", stage, plan, { workers, shareFrom, mayWait: MAY_WAIT });
  const { specs, trained, initial } = declaredState(graphs, plan);
  const state = new State(device);
  const twin = (name: string): string => plan.twin?.(name) ?? name;
  for (const spec of specs) {
    state.write(spec.name, initialTensor(specs.find(({ name }) => name === twin(spec.name))!, recipe.seed));
    const average = trained.has(spec.name) ? plan.average?.name(spec.name) : undefined;
    if (average !== undefined) state.write(average, initialTensor(spec, recipe.seed));
  }
  state.writeAll({ ...initial, ...plan.carried?.initial });
  const updater = await createUpdater({ options: stage, plan, graphs, state, device, cluster });
  return {
    state,
    updater,
    async tensors() {
      await updater.gather();
      const names = state.names().filter((name) => !name.startsWith("accumulated."));
      return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await state.read(name)] as const)));
    },
    [Symbol.dispose]() {
      updater.dispose();
      state.dispose();
    },
  };
}

/** The metrics of each step, and what the state then holds. */
export interface Updated {
  readonly metrics: Metrics[];
  readonly tensors: Record<string, Tensor>;
}

/** Updates a fresh state by these batches in turn. */
export async function updates(
  which: StageCase,
  device: Device,
  batches: readonly Batch[],
  cluster?: Cluster,
): Promise<Updated> {
  using started = await startStage(which, device, cluster);
  const metrics: Metrics[] = [];
  for (const [i, batch] of batches.entries()) metrics.push(await started.updater.update(i + 1, batch));
  return { metrics, tensors: await started.tensors() };
}

/** The same by several workers, each with a state of its own and its rows of every batch. */
export async function updatesOnWorkers(
  which: StageCase,
  device: Device,
  batches: readonly Batch[],
  size: number,
): Promise<Updated[]> {
  const rows = batches.map(({ kind, feeds }) => cutBatch(feeds, size, which.plan.objectives[kind]!.sampleAxis ?? 0));
  return Promise.all(
    workersInProcess(size).map((cluster) => {
      const mine = batches.map((batch, i) => ({ ...batch, feeds: rows[i]![cluster.rank]! }));
      return updates(which, device, mine, cluster);
    }),
  );
}
