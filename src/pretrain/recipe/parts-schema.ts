/** Schemas of what every stage has: optimizer, schedule, intervals, masking, augmentation. */
import { z } from "zod";
import type { Augmentation, PatchMasking, TokenMasking } from "../../data/index.ts";
import { noDecayOnVectors } from "../../optim/groups.ts";
import type { BreakMode } from "../../text/index.ts";
import type { AdamWChoice, ScheduleChoice } from "../../train/index.ts";
import type { StageBase } from "../stages/stage.ts";
import type { InitFrom, Ramp } from "./types.ts";

/** A whole number of 1 or more. */
export const whole: z.ZodInt = z.int().positive();

/** A number of steps; 0 is allowed. */
export const steps: z.ZodInt = z.int().nonnegative();

/** A share in 0..1. */
export const share: z.ZodNumber = z.number().min(0).max(1);

const pattern = z.string().refine(isPattern, { error: "expected a regular expression" });

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}

/** AdamW with the defaults of one stage. */
export const adamW = (own: {
  lr: number;
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  finalWeightDecay?: number;
  noDecay?: readonly string[];
}): z.ZodPrefault<z.ZodType<AdamWChoice>> =>
  z
    .strictObject({
      lr: z.number().positive().default(own.lr).describe("Peak learning rate."),
      betas: z
        .tuple([share, share])
        .default([...own.betas])
        .describe("Decay of the first and second moment."),
      eps: z.number().positive().default(own.eps),
      weightDecay: z.number().nonnegative().default(own.weightDecay),
      finalWeightDecay: z
        .number()
        .nonnegative()
        .nullable()
        .default(own.finalWeightDecay ?? null)
        .describe("What the weight decay becomes by a cosine over the stage (DINO); null: it stays."),
      noDecay: z
        .array(pattern)
        .default([...(own.noDecay ?? [noDecayOnVectors.match.source])])
        .describe(
          "Regular expressions of parameters that do not decay. FLAVA does not say; most transformer recipes leave out biases, norms and tokens.",
        ),
    })
    .prefault({});

/** A learning-rate schedule with the defaults of one stage. */
export const schedule = (own: {
  kind: ScheduleChoice["kind"];
  warmupSteps: number;
  finalLr?: number;
  decaySteps?: number;
}): z.ZodPrefault<z.ZodType<ScheduleChoice>> =>
  z
    .strictObject({
      kind: z.enum(["cosine", "linear", "constant"]).default(own.kind),
      warmupSteps: steps.default(own.warmupSteps).describe("Steps from 0 to the peak."),
      finalLr: z
        .number()
        .nonnegative()
        .default(own.finalLr ?? 0),
      decaySteps: whole
        .nullable()
        .default(own.decaySteps ?? null)
        .describe("Step at which finalLr is reached; null: the last."),
    })
    .prefault({});

/** A value that moves by a cosine from start to end. */
export const ramp = (start: number, end: number, rampSteps: number): z.ZodPrefault<z.ZodType<Ramp>> =>
  z
    .strictObject({
      start: z.number().nonnegative().default(start),
      end: z.number().nonnegative().default(end),
      steps: steps.default(rampSteps),
    })
    .prefault({});

const range = (
  low: number,
  high: number,
): z.ZodDefault<z.ZodType<readonly [number, number], readonly [number, number]>> =>
  z
    .tuple([z.number().positive(), z.number().positive()])
    .refine(([a, b]) => a <= b, { error: "expected the smaller bound first" })
    .default([low, high]);

export const areaRange = (
  low: number,
  high: number,
): z.ZodDefault<z.ZodType<readonly [number, number], readonly [number, number]>> =>
  z
    .tuple([share, share])
    .refine(([a, b]) => a > 0 && a <= b, { error: "expected two shares above 0, the smaller first" })
    .default([low, high]);

/** A random crop. Defaults: torchmultimodal's FLAVA example; the paper says nothing. */
export const augmentation: z.ZodPrefault<z.ZodType<Augmentation>> = z
  .strictObject({
    scale: areaRange(0.9, 1).describe("Range of the crop's share of the area (torchmultimodal)."),
    ratio: range(3 / 4, 4 / 3).describe("Range of the crop's width over its height (torchvision)."),
    flip: share.default(0).describe("Probability of a mirrored image; 0 in torchmultimodal."),
  })
  .prefault({});

/** Block-wise patch masking. Defaults: BEiT's run, 75 of 196 patches (arXiv:2106.08254 §2.3). */
export const patchMasking: z.ZodPrefault<z.ZodType<PatchMasking>> = z
  .strictObject({
    patches: whole.default(75).describe("Masked patches of an image; BEiT: 75 of 196."),
    minBlock: whole.default(16).describe("Patches of the smallest block; BEiT's runs: 16."),
    maxBlock: whole.nullable().default(null).describe("Patches of the largest block; null: all."),
    minAspect: z.number().positive().max(1).default(0.3).describe("Smallest height over width of a block; BEiT: 0.3."),
  })
  .prefault({});

/** Token masking. Defaults: BERT's, per token as in torchmultimodal (arXiv:1810.04805 §3.1). */
export const tokenMasking = (wholeWord: boolean): z.ZodPrefault<z.ZodType<TokenMasking>> =>
  z
    .strictObject({
      probability: share.default(0.15).describe("Share of the tokens to predict (FLAVA §3.2)."),
      maskShare: share.default(0.8).describe("Of them, become [MASK] (BERT §3.1)."),
      randomShare: share.default(0.1).describe("Of them, become a random token; the rest stay (BERT §3.1)."),
      wholeWord: z
        .boolean()
        .default(wholeWord)
        .describe("Select words, not pieces: what torchmultimodal does for pairs, and not for texts."),
    })
    .refine(({ maskShare, randomShare }) => maskShare + randomShare <= 1, {
      path: ["randomShare"],
      error: "maskShare and randomShare together are more than 1",
    })
    .prefault({});

/** Where weights come from. */
export const initFrom = (fallback: string): z.ZodDefault<z.ZodType<InitFrom, InitFrom>> =>
  z
    .union([z.string().min(1), z.strictObject({ path: z.string().min(1) })])
    .default(fallback)
    .describe(
      "random, the name of an earlier stage, or {path: a .safetensors file, or the folder of a checkpoint, a run or a model}. Absent: the last earlier stage that trains it, else random.",
    );

const every = z
  .strictObject({
    log: steps.default(10).describe("Steps between lines of metrics.jsonl; 0, here and below: only the last step."),
    eval: steps.default(8000).describe("Steps between evaluations; FLAVA supp. B.1: 8K."),
    save: steps.default(1000).describe("Steps between checkpoints: what a power cut costs."),
  })
  .prefault({});

type Common = Omit<StageBase, "kind" | "optimizer" | "schedule" | "init">;

/** What every stage has, with the defaults of one. */
export const common = (own: {
  steps: number;
  batchSize: number;
  clipNorm?: number;
  ema?: number;
}): { [K in keyof Common]: z.ZodType<Common[K]> } => ({
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

export const pack: z.ZodType<BreakMode | null> = z
  .enum(["complete", "complete_doc", "none"])
  .nullable()
  .default("complete")
  .describe(
    "Where a row of packed sentences ends (fairseq's break modes; RoBERTa: complete); null: a row holds one text.",
  );
