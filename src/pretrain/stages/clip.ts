/** The contrastive stage of a CLIP (Radford et al., arXiv:2103.00020 §2.3): pictures and captions, and which belong together. */
import { z } from "zod";
import { type Augmentation, augmentOf } from "../../data/index.ts";
import { createPairs, type EvaluationContext, type Evaluator, type PairSet } from "../../evaluators/index.ts";
import { input } from "../../graph/index.ts";
import { type ClipConfig, clipLogitScale, clipPairs } from "../../models/clip/index.ts";
import { averaged } from "../../nn/index.ts";
import { contrastiveObjective } from "../../objectives/index.ts";
import { foundCaptions, foundPictures, mistakes, rank, wordNeighbours } from "../../pictures/index.ts";
import type { Objective } from "../../train/index.ts";
import { adamW, augmentation, common, initFrom, schedule, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { checkLength, checkSource } from "./checks.ts";
import { scaleFor, tokensFor } from "./defaults.ts";
import { knn } from "./shared.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { TINY } from "./tiny.ts";

/** The contrastive stage of a recipe, every default filled in. */
export interface ClipStage extends StageBase {
  readonly kind: "clip";
  /** Tokens of a caption. */
  readonly textLength: number;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom };
}

/** openai/CLIP's paper, §2.5, and open_clip's defaults that name it: 32 epochs of 400 M pairs. */
const schema = z.strictObject({
  kind: z.literal("clip"),
  ...common({ steps: 390_625, batchSize: 32_768 }),
  optimizer: adamW({ lr: 5e-4, betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.2 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 2000 }),
  textLength: whole.default(77).describe("Tokens of a caption."),
  augmentation,
  init: z.strictObject({ image: initFrom("random"), text: initFrom("random") }).prefault({}),
});

export const clipKind: StageKind<ClipStage, ClipConfig> = {
  family: "clip",
  schema,
  gives: ["image", "text"],
  startsFrom: ["image", "text"],
  defaults: (given) => ({
    ...scaleFor(given, {
      tiny: { steps: 300, batchSize: 16, lr: 2e-3 },
      small: { steps: 1200, batchSize: 64, lr: 1e-3 },
    }).raw,
    textLength: tokensFor(given, 77),
  }),
  reads: ({ steps, batchSize }) => ({ pairs: steps * batchSize }),
  check(recipe, { textLength, batchSize, gradientAccumulationSteps }, report) {
    checkSource(recipe, "pairs", report);
    checkLength(recipe, textLength, report, ["textLength"]);
    if (batchSize < 2) report(["batchSize"], "the contrastive loss compares samples: expected 2 or more");
    if (recipe.model.image.tower === "resnet" && gradientAccumulationSteps > 1)
      report(["gradientAccumulationSteps"], "a ResNet normalises by the whole batch: expected 1");
  },
  tiny: (stage) => ({ ...stage, textLength: TINY.tokens }),
  plan,
  measures: { knn: "labelled" },
  evaluators: (context, held, stage) => [
    ...Object.entries(held.validation).map(([name, pairs]) => pairsOf(context, stage, { name, pairs })),
    knn(context, held),
  ],
  test: pairsOf,
  async *pictures(drawing) {
    const ranking = await rank(drawing.context, drawing.pairs);
    yield ["10-found-captions", await foundCaptions(drawing, ranking)];
    yield ["20-found-pictures", await foundPictures(drawing, ranking)];
    yield ["30-mistakes", await mistakes(drawing, ranking)];
    yield ["57-neighbours", await wordNeighbours(drawing, "text_embeds")];
  },
};

function pairsOf(
  context: EvaluationContext,
  { textLength }: ClipStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  return createPairs(context, { ...set, textLength, retrieval: true, matching: false });
}

function plan({ model }: Recipe<ClipConfig>, stage: ClipStage): StagePlan {
  const { imageSize: size } = model.image;
  const image = { size, codebookSize: 0, augment: augmentOf(stage.augmentation), mask: null };
  const text = { length: stage.textLength, mask: null };
  return {
    objectives: { pair: objective(model, stage) },
    datasets: [{ kind: "pair", data: "pairs", build: { kind: "pair", image, text }, negatives: 0 }],
    ...(model.image.tower === "resnet" && {
      carried: { initial: {}, next: (observed) => averaged(observed, model.image.momentum) },
    }),
  };
}

function objective(model: ClipConfig, { batchSize, textLength }: ClipStage): Objective {
  const { imageSize: side, channels } = model.image;
  return {
    batchSize,
    losses(p, batch, part) {
      const pixels = input("pixel_values", [batch, channels, side, side]);
      const ids = input("input_ids", [batch, textLength], "int32");
      const embeds = clipPairs(p, model, pixels, ids, { statistics: "batch" });
      const values = { ...embeds, logit_scale: clipLogitScale(p, model) };
      const { losses, metrics, chance } = contrastiveObjective(values, undefined, undefined, {
        gather: model.contrastiveGather,
        ...part,
      });
      return { losses, metrics, chance, statistics: p.observed() };
    },
  };
}
