/** The image stage by self-distillation: a student, its averaged teacher, and many crops (DINO, arXiv:2104.14294). */
import { z } from "zod";
import { add, input, mean, mul, reshape, type Value } from "../../graph/index.ts";
import { type DinoOptions, dinoOptions } from "../../image/index.ts";
import { type DinoConfig, dinoImageConfig, dinoScores, TEACHER, teacherName } from "../../models/dino/index.ts";
import { imageFeatures } from "../../models/vit/index.ts";
import type { Params } from "../../nn/index.ts";
import { dinoLoss } from "../../objectives/index.ts";
import { dinoSchedule, linearRamp, scalarInput } from "../../optim/index.ts";
import { zerosLike } from "../../tensor/index.ts";
import type { Losses } from "../../train/index.ts";
import { adamW, areaRange, common, initFrom, ramp, schedule, share, steps, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Ramp, Recipe } from "../recipe/types.ts";
import { checkSource } from "./checks.ts";
import { type DefaultsFor, dinoFor, scaleFor, shareOf } from "./defaults.ts";
import { knn } from "./shared.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { TINY, tinyRamp } from "./tiny.ts";

/** The image stage by DINO, every default filled in. */
export interface ImageDinoStage extends StageBase {
  readonly kind: "image-dino";
  /** What `clipNorm` is the norm of: each parameter's gradient, or all together. */
  readonly clipPer: "parameter" | "model";
  readonly globalCrops: { readonly scale: readonly [number, number] };
  readonly localCrops: { readonly count: number; readonly size: number; readonly scale: readonly [number, number] };
  /** Probabilities of the views' distortions; `blur` of global view 1, global view 2, local views. */
  readonly views: {
    readonly flip: number;
    readonly colorJitter: number;
    readonly grayscale: number;
    readonly blur: readonly [number, number, number];
    readonly solarize: number;
  };
  readonly head: {
    readonly hiddenSize: number;
    readonly bottleneckSize: number;
    readonly outputSize: number;
    readonly normLastLayer: boolean;
  };
  /** Steps in which the last layer of the head gets no gradient. */
  readonly freezeLastLayerSteps: number;
  readonly studentTemperature: number;
  /** Linear, not cosine, between its ends. */
  readonly teacherTemperature: Ramp;
  /** Cosine from the first to the second over the stage. */
  readonly teacherMomentum: readonly [number, number];
  readonly centerMomentum: number;
  readonly init: { readonly image: InitFrom };
}

/** Biases and every other tensor of one axis. */
const NO_DECAY = ["\\.bias$", "[lL]ayer[nN]orm"];

/** The defaults of facebookresearch/dino's main_dino.py at batch 1024 and 100 epochs of ImageNet-1k: 1,251 steps an epoch. */
const schema = z.strictObject({
  kind: z.literal("image-dino"),
  ...common({ steps: 125_100, batchSize: 1024, clipNorm: 3 }),
  optimizer: adamW({
    lr: 2e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0.04,
    finalWeightDecay: 0.4,
    noDecay: NO_DECAY,
  }),
  schedule: schedule({ kind: "cosine", warmupSteps: 12_510, finalLr: 1e-6 }),
  clipPer: z
    .enum(["parameter", "model"])
    .default("parameter")
    .describe("What clipNorm is the norm of: each parameter's gradient (DINO), or all together."),
  globalCrops: z.strictObject({ scale: areaRange(0.4, 1) }).prefault({}),
  localCrops: z
    .strictObject({ count: steps.default(8), size: whole.default(96), scale: areaRange(0.05, 0.4) })
    .prefault({}),
  views: z
    .strictObject({
      flip: share.default(0.5),
      colorJitter: share.default(0.8).describe("Probability of jitter 0.4, 0.4, 0.2, 0.1."),
      grayscale: share.default(0.2),
      blur: z
        .tuple([share, share, share])
        .default([1, 0.1, 0.5])
        .describe("Global view 1, global view 2, local views."),
      solarize: share.default(0.2).describe("On global view 2 only."),
    })
    .prefault({}),
  head: z
    .strictObject({
      hiddenSize: whole.default(2048),
      bottleneckSize: whole.default(256),
      outputSize: whole.default(65_536),
      normLastLayer: z.boolean().default(true),
    })
    .prefault({}),
  freezeLastLayerSteps: steps.default(1251).describe("DINO: the first epoch."),
  studentTemperature: z.number().positive().default(0.1),
  teacherTemperature: ramp(0.04, 0.04, 0).describe("Linear between its ends."),
  teacherMomentum: z.tuple([share, share]).default([0.996, 1]).describe("Cosine from the first to the second."),
  centerMomentum: share.default(0.9),
  init: z.strictObject({ image: initFrom("random") }).prefault({}),
});

export const imageDinoKind: StageKind<ImageDinoStage> = {
  family: "flava",
  schema,
  gives: ["image"],
  startsFrom: ["image"],
  defaults,
  reads: ({ steps: count, batchSize }) => ({ images: count * batchSize }),
  check(recipe, { localCrops, ema }, report) {
    const { patchSize } = recipe.model.image;
    checkSource(recipe, "images", report);
    if (ema !== null) report(["ema"], "DINO's teacher is its average: expected null");
    if (localCrops.size % patchSize !== 0)
      report(["localCrops", "size"], `${localCrops.size} pixels are not whole patches of ${patchSize}`);
  },
  tiny: (stage) => ({
    ...stage,
    localCrops: { ...stage.localCrops, count: Math.min(stage.localCrops.count, 2), size: (TINY.grid / 2) * TINY.patch },
    head: { ...stage.head, hiddenSize: 32, bottleneckSize: 16, outputSize: 64 },
    freezeLastLayerSteps: Math.min(stage.freezeLastLayerSteps, 1),
    teacherTemperature: tinyRamp(stage.teacherTemperature),
  }),
  plan,
  measures: { knn: "labelled" },
  evaluators: (context, held, _stage, { model }) => [
    knn(context, held, {
      features: (batch, scope) => imageFeatures(dinoImageConfig(model.image), batch, scope),
      scope: TEACHER,
    }),
  ],
};

/** Of starter-dino: a momentum of 0.996 averages over more steps than there are. */
function defaults(given: DefaultsFor): Record<string, unknown> {
  const { steps, raw } = scaleFor(given, {
    tiny: { steps: 100, batchSize: 8, lr: 1e-3 },
    small: { steps: 600, batchSize: 32, lr: 1e-3 },
  });
  const sizes = dinoFor(given);
  if (Object.keys(raw).length === 0) return sizes;
  return {
    ...raw,
    ...sizes,
    localCrops: { ...(sizes.localCrops as object), count: 4 },
    freezeLastLayerSteps: shareOf(steps, 0.1),
    teacherTemperature: { steps: shareOf(steps, 0.5) },
    teacherMomentum: [0.98, 1],
  };
}

const CENTER = "dino.center";
const GLOBAL_CROPS = 2;

function plan({ model }: Recipe, stage: ImageDinoStage): StagePlan {
  const config: DinoConfig = { image: dinoImageConfig(model.image), head: stage.head, interpolate: "dino" };
  const { teacherTemperature: tau, teacherMomentum, centerMomentum, freezeLastLayerSteps } = stage;
  const temperature = linearRamp(tau.start, tau.end, tau.steps);
  const momentum = dinoSchedule(teacherMomentum[0], teacherMomentum[1], stage.steps);
  const K = stage.head.outputSize;
  return {
    objectives: {
      dino: { batchSize: stage.batchSize, sampleAxis: 1, losses: (p, batch) => losses(p, config, stage, batch) },
    },
    datasets: [{ kind: "dino", data: "images", build: { kind: "dino", dino: viewsOf(model.image.imageSize, stage) } }],
    scalars: (step) => ({
      teacher_temperature: temperature(step - 1),
      teacher_momentum: momentum(step - 1),
      last_layer: step > freezeLastLayerSteps ? 1 : 0,
    }),
    clipPer: stage.clipPer,
    countsFromZero: true,
    gate: (name) => (name.startsWith("dino_head.last_layer.") ? scalarInput("last_layer") : undefined),
    average: { name: teacherName, decay: scalarInput("teacher_momentum") },
    carried: {
      initial: { [CENTER]: zerosLike("float32", [1, K]) },
      next: ({ teacher_mean }) => ({
        [CENTER]: add(mul(input(CENTER, [1, K]), centerMomentum), mul(teacher_mean!, 1 - centerMomentum)),
      }),
    },
    isModel: (name) => !name.startsWith(`${TEACHER}.`),
    twin: (name) => (name.startsWith(`${TEACHER}.`) ? name.slice(TEACHER.length + 1) : undefined),
  };
}

function losses(p: Params, config: DinoConfig, stage: ImageDinoStage, batch: number): Losses {
  const { channels, imageSize } = config.image;
  const { count, size } = stage.localCrops;
  const globals = rows(input("global_crops", [GLOBAL_CROPS, batch, channels, imageSize, imageSize]));
  const locals = count > 0 ? [rows(input("local_crops", [count, batch, channels, size, size]))] : [];
  const student = dinoScores(p, config, [globals, ...locals]);
  const teacher = dinoScores(p.at(TEACHER), config, [globals]);
  const { loss, teacherEntropy, chance } = dinoLoss({
    student,
    teacher,
    center: input(CENTER, [1, stage.head.outputSize]),
    crops: GLOBAL_CROPS + count,
    teacherTemperature: scalarInput("teacher_temperature"),
    studentTemperature: stage.studentTemperature,
  });
  const center = input(CENTER, [1, stage.head.outputSize]);
  return {
    losses: { dino: loss },
    metrics: { teacher_entropy: teacherEntropy, center_norm: mean(mul(center, center)) },
    chance: { dino: chance },
    statistics: { teacher_mean: mean(teacher, [0], { keep: true }) },
  };
}

/** (V, B, …) → (V·B, …): crop by crop. */
const rows = (x: Value): Value => reshape(x, [x.shape[0]! * x.shape[1]!, ...x.shape.slice(2)]);

/** DINO's distortions with the recipe's probabilities. */
function viewsOf(globalSize: number, stage: ImageDinoStage): DinoOptions {
  const { globalCrops, localCrops, views } = stage;
  const standard = dinoOptions({
    globalSize,
    localSize: localCrops.size,
    localCrops: localCrops.count,
    globalScale: globalCrops.scale,
    localScale: localCrops.scale,
  });
  return {
    ...standard,
    views: standard.views.map((view, i) => ({
      ...view,
      flip: views.flip,
      jitterProbability: views.colorJitter,
      grey: views.grayscale,
      blur: views.blur[Math.min(i, 2)]!,
      solarize: i === 1 ? views.solarize : 0,
    })),
  };
}
