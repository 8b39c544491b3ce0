/**
 * ALBEF's stage (Li et al., arXiv:2107.07651): pictures and texts are aligned before they are fused, by contrast with an average of the model and
 * with queues; then come matching against hard negatives and masked words, both distilled from the average.
 */
import { z } from "zod";
import { type Augmentation, augmentOf, maskedTexts, type TokenMasking } from "../../data/index.ts";
import { createPairs, type EvaluationContext, type Evaluator, type PairSet } from "../../evaluators/index.ts";
import { add, cast, constant, input, mul, reshape, slice } from "../../graph/index.ts";
import { type AlbefConfig, albefBatch, albefMomentumName, albefOwnName } from "../../models/albef/index.ts";
import { matchingChance } from "../../objectives/index.ts";
import { scalarInput } from "../../optim/index.ts";
import {
  attention,
  foundCaptions,
  foundPictures,
  mistakes,
  pairWords,
  rank,
  wordNeighbours,
} from "../../pictures/index.ts";
import { random, type Tensor } from "../../tensor/index.ts";
import type { Objective } from "../../train/index.ts";
import {
  adamW,
  augmentation,
  common,
  initFrom,
  schedule,
  share,
  steps,
  tokenMasking,
  whole,
} from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { albefLosses } from "./albef-losses.ts";
import { checkLength, checkSource } from "./checks.ts";
import { type DefaultsFor, PAIR_SCALES, scaleFor, shareOf, tokensFor } from "./defaults.ts";
import { gumbel } from "./gumbel.ts";
import { knn } from "./shared.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { TINY } from "./tiny.ts";

/** ALBEF's stage of a recipe, every default filled in. */
export interface AlbefStage extends StageBase {
  readonly kind: "albef";
  /** Tokens of a caption. */
  readonly textLength: number;
  readonly masking: TokenMasking;
  /** What is kept of the average at each step. */
  readonly momentum: number;
  /** Embeddings of each modality that are kept from earlier batches. */
  readonly queueSize: number;
  /** The average's share in the targets, and the steps in which it rises from 0. */
  readonly alpha: number;
  readonly alphaSteps: number;
  /** Multiplies the learning rate of the temperature. */
  readonly temperatureLr: number;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom };
}

/** timm's rule: every tensor of one axis. */
const NO_DECAY = ["\\.bias$", "(norm\\d?|LayerNorm)\\.weight$", "^temp$"];

/** salesforce/ALBEF, configs/Pretrain.yaml: 30 epochs in batches of 64 on 8 workers. */
const schema = z.strictObject({
  kind: z.literal("albef"),
  ...common({ steps: 298_800, batchSize: 512 }),
  optimizer: adamW({ lr: 1e-4, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.02, noDecay: NO_DECAY }),
  schedule: schedule({ kind: "cosine", warmupSteps: 2000, finalLr: 1e-5 }),
  textLength: whole.default(25).describe("Tokens of a caption."),
  masking: tokenMasking(false),
  momentum: share.default(0.995).describe("What is kept of the model's average at each step."),
  queueSize: whole
    .default(65_536)
    .describe(
      "Embeddings of earlier batches that each picture and each text is compared with: a multiple of batchSize.",
    ),
  alpha: share.default(0.4).describe("The average's share in the targets of contrast and masked words."),
  alphaSteps: steps.default(9960).describe("Steps in which that share rises from 0: the first epoch."),
  temperatureLr: z
    .number()
    .nonnegative()
    .default(1)
    .describe(
      "Multiplies the learning rate of the temperature, which is a parameter as it is: at 1e-3 it could go from 0.07 to its lower bound within 70 steps.",
    ),
  augmentation,
  init: z.strictObject({ image: initFrom("random"), text: initFrom("random") }).prefault({}),
});

export const albefKind: StageKind<AlbefStage, AlbefConfig> = {
  family: "albef",
  schema,
  gives: ["image", "text"],
  startsFrom: ["image", "text"],
  defaults,
  reads: (stage) => ({ pairs: stage.steps * stage.batchSize }),
  check(recipe, { textLength, batchSize, queueSize, ema }, report) {
    checkSource(recipe, "pairs", report);
    checkLength(recipe, textLength, report, ["textLength"]);
    if (batchSize < 2) report(["batchSize"], "wrong partners come from the same batch: expected 2 or more");
    if (queueSize % batchSize !== 0)
      report(
        ["queueSize"],
        `${queueSize} is no multiple of batchSize ${batchSize}: a batch must fill whole places of the queue; take ${Math.max(1, Math.round(queueSize / batchSize)) * batchSize}`,
      );
    if (ema !== null) report(["ema"], "ALBEF has an average of its own (momentum): expected null");
  },
  tiny: (stage) => ({
    ...stage,
    textLength: TINY.tokens,
    queueSize: 2 * TINY.batchSize,
    alphaSteps: Math.min(stage.alphaSteps, TINY.steps),
  }),
  plan,
  measures: { knn: "labelled" },
  evaluators: (context, held, stage) => [
    ...Object.entries(held.validation).map(([name, pairs]) => pairsOf(context, stage, { name, pairs })),
    knn(context, held),
  ],
  test: pairsOf,
  async *pictures(drawing, { textLength, masking }) {
    const ranking = await rank(drawing.context, drawing.pairs);
    yield ["10-found-captions", await foundCaptions(drawing, ranking)];
    yield ["20-found-pictures", await foundPictures(drawing, ranking)];
    yield ["30-mistakes", await mistakes(drawing, ranking)];
    yield ["40-attention", await attention(drawing, textLength)];
    yield ["50-words-in-pairs", await pairWords(drawing, { textLength, textMasking: masking })];
    yield ["57-neighbours", await wordNeighbours(drawing, "text_embeds")];
  },
};

/** A short run changes fast: older embeddings than those of two batches are told by their age, not by what they show. */
function defaults(given: DefaultsFor<AlbefConfig>): Record<string, unknown> {
  const { steps: count, raw } = scaleFor(given, PAIR_SCALES);
  const textLength = tokensFor(given, 25);
  if (Object.keys(raw).length === 0) return { textLength };
  const batchSize = typeof given.stage.batchSize === "number" ? given.stage.batchSize : (raw.batchSize as number);
  return { ...raw, textLength, queueSize: 2 * batchSize, alphaSteps: shareOf(count, 1 / 10), temperatureLr: 0.05 };
}

function pairsOf(
  context: EvaluationContext,
  { textLength, masking }: AlbefStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  const masked = { textMasking: masking, heads: ["text"] as const };
  return createPairs(context, { ...set, textLength, retrieval: true, matching: true, masked });
}

function plan({ model, seed }: Recipe<AlbefConfig>, stage: AlbefStage): StagePlan {
  const { batchSize: B, queueSize: Q, alpha, alphaSteps, temperatureLr } = stage;
  const image = { size: model.image.imageSize, codebookSize: 0, augment: augmentOf(stage.augmentation), mask: null };
  const text = maskedTexts(stage.textLength, stage.masking);
  const queue = (name: string): Tensor => unitColumns(seed, name, model.projectionDim, Q);
  return {
    objectives: { pair: objective(model, stage, text.mask.maxTargets) },
    datasets: [{ kind: "pair", data: "pairs", build: { kind: "pair", image, text }, negatives: 0 }],
    scalars: (step) => ({
      alpha: alphaSteps === 0 ? alpha : alpha * Math.min(1, (step - 1) / alphaSteps),
      queue_start: ((step - 1) * B) % Q,
    }),
    clipPer: "parameter", // the temperature's gradient is many times all others together
    gate: (name) => (name === "temp" && temperatureLr !== 1 ? constant(temperatureLr, "float32") : undefined),
    noise: (step) => ({ partner_noise: gumbel(seed, step, [B, 2, B]) }),
    average: { name: albefMomentumName, decay: stage.momentum },
    carried: {
      initial: { image_queue: queue("image_queue"), text_queue: queue("text_queue") },
      next: ({ image_queue, text_queue }) => ({ image_queue: image_queue!, text_queue: text_queue! }),
    },
    isModel: (name) => albefOwnName(name) === undefined,
    twin: albefOwnName,
  };
}

/** Random columns of length 1, (rows, columns). */
function unitColumns(seed: number, name: string, rows: number, columns: number): Tensor {
  const rng = random(seed, `queue:${name}`);
  const data = Float32Array.from({ length: rows * columns }, () => rng.normal());
  for (let c = 0; c < columns; c++) {
    let squares = 0;
    for (let r = 0; r < rows; r++) squares += data[r * columns + c]! ** 2;
    for (let r = 0; r < rows; r++) data[r * columns + c]! /= Math.sqrt(squares);
  }
  return { dtype: "float32", shape: [rows, columns], data };
}

function objective(model: AlbefConfig, stage: AlbefStage, maskedTokens: number): Objective {
  const { batchSize: whole, textLength, queueSize: Q } = stage;
  return {
    batchSize: whole,
    losses(p, batch, part) {
      const fed = albefBatch(model, { batch, textLength, maskedTokens, maskedPatches: 0 });
      const noise = slice(input("partner_noise", [batch, 2, whole]), 2, 0, batch); // a part draws within itself
      const draws = (axis: number) => reshape(slice(noise, 1, axis, axis + 1), [batch, batch]);
      const queue = (name: string) => input(name, [model.projectionDim, Q]);
      const { contrast, itm, mlm, words, queues } = albefLosses(
        p,
        model,
        fed,
        {
          ...{ imageQueue: queue("image_queue"), textQueue: queue("text_queue") },
          start: cast(scalarInput("queue_start"), "int32"),
          alpha: scalarInput("alpha"),
          noise: { images: draws(0), texts: draws(1) },
        },
        part,
      );
      const { imageToText, textToImage } = contrast;
      const guess = matchingChance(2 / 3);
      return {
        losses: { ita: contrast.loss, itm: itm.loss, mlm },
        metrics: {
          "ita/accuracy": mul(add(imageToText.accuracy, textToImage.accuracy), 0.5),
          "itm/accuracy": itm.accuracy,
          "mlm/accuracy": words.accuracy,
          "mlm/count": words.count,
        },
        chance: {
          ita: Math.log(batch + Q),
          itm: guess.loss,
          "itm/accuracy": guess.accuracy,
          mlm: words.chance,
        },
        statistics: queues,
      };
    },
  };
}
