/** Schemas of the five kinds of stages. Their defaults are the paper's run, or where it is silent the source that is named. */
import { z } from "zod";
import {
  adamW,
  areaRange,
  augmentation,
  initFrom,
  patchMasking,
  ramp,
  schedule,
  share,
  steps,
  tokenMasking,
  whole,
} from "./parts-schema.ts";
import type { Stage } from "./types.ts";

const every = z
  .strictObject({
    log: steps.default(10).describe("Steps between lines of metrics.jsonl; 0, here and below: only the last step."),
    eval: steps.default(8000).describe("Steps between evaluations; FLAVA supp. B.1: 8K."),
    save: steps.default(1000).describe("Steps between checkpoints: what a power cut costs."),
  })
  .prefault({});

/** What every stage has. */
const common = (own: { steps: number; batchSize: number; clipNorm?: number; ema?: number }) => ({
  steps: whole.default(own.steps).describe("Optimizer steps. Not minutes: a run must repeat to the bit."),
  batchSize: whole.default(own.batchSize).describe("Samples of one step, all micro-batches together."),
  gradientAccumulationSteps: whole.default(1).describe("Micro-batches of one step; the batch divides by it."),
  clipNorm: z
    .number()
    .positive()
    .nullable()
    .default(own.clipNorm ?? null)
    .describe("Largest gradient norm; null: no clipping."),
  ema: share
    .nullable()
    .default(own.ema ?? null)
    .describe("Decay of the averaged weights; null: none."),
  recompute: z.boolean().default(false).describe("Compute activations again in the backward pass: less memory."),
  every,
  saveTotalLimit: whole.nullable().default(2).describe("Checkpoints that stay beside the best: room on disk."),
  best: z
    .strictObject({ metric: z.string().min(1), mode: z.enum(["min", "max"]).default("max") })
    .nullable()
    .default(null)
    .describe("The held-out metric (eval/…) whose best checkpoint is kept; null: the last is the result."),
});

const pack = z
  .enum(["complete", "complete_doc", "none"])
  .nullable()
  .default("complete")
  .describe(
    "Where a row of packed sentences ends (fairseq's break modes; RoBERTa: complete); null: a row holds one text.",
  );

/** DALL-E, arXiv:2102.12092 appendix A. */
const dvae = z.strictObject({
  kind: z.literal("dvae"),
  ...common({ steps: 3_000_000, batchSize: 512, ema: 0.999 }),
  optimizer: adamW({ lr: 1e-4, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-4 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 0, finalLr: 1.25e-6, decaySteps: 1_200_000 }),
  imageSize: whole
    .nullable()
    .default(null)
    .describe("Side of the training crops; null: the side that gives one word a patch (DALL-E: 256)."),
  temperature: ramp(1, 1 / 16, 150_000).describe("Gumbel-softmax temperature."),
  kl: ramp(0, 6.6, 5000).describe(
    "β of the KL term; the loss is β/192 of its mean over words plus the mean over values.",
  ),
  augmentation,
  init: z.strictObject({ codebook: initFrom("random") }).prefault({}),
});

/** FLAVA supp. B.1, "RoBERTa-base hyperparameters" (arXiv:1907.11692, table 9). */
const textMlm = z.strictObject({
  kind: z.literal("text-mlm"),
  ...common({ steps: 125_000, batchSize: 2048 }),
  optimizer: adamW({ lr: 5e-4, betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.01 }),
  schedule: schedule({ kind: "linear", warmupSteps: 10_000 }),
  textLength: whole.default(512).describe("Tokens of a text (fairseq's RoBERTa base)."),
  pack,
  masking: tokenMasking(false),
  init: z.strictObject({ text: initFrom("random") }).prefault({}),
});

/** BEiT's run for ViT-B (arXiv:2106.08254, appendix): 300 epochs of ImageNet-1k at batch 2048. */
const imageMim = z.strictObject({
  kind: z.literal("image-mim"),
  ...common({ steps: 187_500, batchSize: 2048 }),
  optimizer: adamW({ lr: 1.5e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.05 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 3125, finalLr: 1e-5 }),
  masking: patchMasking,
  augmentation,
  init: z.strictObject({ image: initFrom("random"), codebook: initFrom("random") }).prefault({}),
});

/** Biases and every other tensor of one axis. */
const DINO_NO_DECAY = ["\\.bias$", "[lL]ayer[nN]orm"];

/** The defaults of facebookresearch/dino's main_dino.py at batch 1024 and 100 epochs of ImageNet-1k: 1,251 steps an epoch. */
const imageDino = z.strictObject({
  kind: z.literal("image-dino"),
  ...common({ steps: 125_100, batchSize: 1024, clipNorm: 3 }),
  optimizer: adamW({
    lr: 2e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0.04,
    finalWeightDecay: 0.4,
    noDecay: DINO_NO_DECAY,
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

/** FLAVA, arXiv:2112.04482 §3.4, supp. Tab A.1, A.2, B.1. */
const joint = z.strictObject({
  kind: z.literal("joint"),
  ...common({ steps: 214_286, batchSize: 8192 }),
  imageBatchSize: whole.nullable().default(null).describe("Batch of image-only steps; null: batchSize."),
  textBatchSize: whole.nullable().default(null).describe("Batch of text-only steps; null: batchSize."),
  optimizer: adamW({ lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 10_000 }),
  sampling: z
    .strictObject({
      pairs: z.number().nonnegative().default(0.7),
      images: z.number().nonnegative().default(0.15),
      texts: z.number().nonnegative().default(0.15),
    })
    .prefault({})
    .describe("Shares of the steps; a whole batch comes from one kind (supp. B.1)."),
  lossWeights: z
    .strictObject({
      mim: z.number().nonnegative().default(1),
      mlm: z.number().nonnegative().default(1),
      itm: z.number().nonnegative().default(1),
      globalContrastive: z.number().nonnegative().default(1),
      mmmImage: z.number().nonnegative().default(1),
      mmmText: z.number().nonnegative().default(1),
    })
    .prefault({})
    .describe("The paper gives none; both public codebases: 1. 0 leaves a loss and its head out."),
  itmNegativeRatio: share.default(0.1).describe("Pairs with another image's caption; torchmultimodal: 0.1."),
  textLength: z
    .strictObject({ pairs: whole.default(77), texts: whole.default(512) })
    .prefault({})
    .describe("torchmultimodal; the paper gives none."),
  pack,
  imageMasking: patchMasking,
  textMasking: tokenMasking(false),
  pairMasking: tokenMasking(true),
  augmentation,
  init: z
    .strictObject({ image: initFrom("random"), text: initFrom("random"), codebook: initFrom("random") })
    .prefault({})
    .describe("The multimodal encoder always starts at random (supp. B.1)."),
});

/** Any stage; `kind` says which. */
export const stageSchema: z.ZodType<Stage> = z.discriminatedUnion("kind", [dvae, textMlm, imageMim, imageDino, joint]);
