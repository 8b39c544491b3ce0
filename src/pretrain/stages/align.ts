/** The contrastive stage of an ALIGN (Jia et al., arXiv:2102.05918 §4.2): pictures and noisy texts, and which belong together. */
import { z } from "zod";
import { type Augmentation, augmentOf } from "../../data/index.ts";
import { createPairs, type EvaluationContext, type Evaluator, type PairSet } from "../../evaluators/index.ts";
import { input } from "../../graph/index.ts";
import { type AlignConfig, alignLogitScale, alignMomentum, alignPairs } from "../../models/align/index.ts";
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

/** ALIGN's stage of a recipe, every default filled in. */
export interface AlignStage extends StageBase {
  readonly kind: "align";
  /** Tokens of a text. */
  readonly textLength: number;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom };
}

/** The paper's run as it is remembered, with AdamW instead of LAMB. */
const schema = z.strictObject({
  kind: z.literal("align"),
  ...common({ steps: 1_200_000, batchSize: 16_384 }),
  optimizer: adamW({
    ...{ lr: 1e-3, betas: [0.9, 0.999], eps: 1e-6, weightDecay: 1e-5 },
    noDecay: ["\\.bias$", "(LayerNorm|batchnorm|_bn|_norm)\\.weight$", "position_embeddings", "^temperature$"],
  }),
  schedule: schedule({ kind: "linear", warmupSteps: 10_000 }),
  textLength: whole.default(64).describe("Tokens of a text."),
  augmentation,
  init: z.strictObject({ image: initFrom("random"), text: initFrom("random") }).prefault({}),
});

export const alignKind: StageKind<AlignStage, AlignConfig> = {
  family: "align",
  schema,
  gives: ["image", "text"],
  startsFrom: ["image", "text"],
  defaults: (given) => ({
    ...scaleFor(given, {
      tiny: { steps: 300, batchSize: 16, lr: 2e-3 },
      small: { steps: 1200, batchSize: 64, lr: 1e-3 },
    }).raw,
    textLength: tokensFor(given, 64),
  }),
  reads: ({ steps, batchSize }) => ({ pairs: steps * batchSize }),
  check(recipe, { textLength, batchSize }, report) {
    checkSource(recipe, "pairs", report);
    checkLength(recipe, textLength, report, ["textLength"]);
    if (batchSize < 2) report(["batchSize"], "the contrastive loss compares samples: expected 2 or more");
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
  { textLength }: AlignStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  return createPairs(context, { ...set, textLength, retrieval: true, matching: false });
}

function plan({ model }: Recipe<AlignConfig>, stage: AlignStage): StagePlan {
  const image = { size: model.image.imageSize, codebookSize: 0, augment: augmentOf(stage.augmentation), mask: null };
  const text = { length: stage.textLength, mask: null };
  return {
    objectives: { pair: objective(model, stage) },
    datasets: [{ kind: "pair", data: "pairs", build: { kind: "pair", image, text }, negatives: 0 }],
    carried: { initial: {}, next: (observed) => alignMomentum(model.image, observed) },
  };
}

function objective(model: AlignConfig, { batchSize, textLength }: AlignStage): Objective {
  const { imageSize: side, channels } = model.image;
  return {
    batchSize,
    losses(p, batch, part) {
      const pixels = input("pixel_values", [batch, channels, side, side]);
      const ids = input("input_ids", [batch, textLength], "int32");
      const keep = input("attention_mask", [batch, textLength], "int32");
      const embeds = alignPairs(p, model, { pixels, ids, keep }, { statistics: "batch" });
      const values = { ...embeds, logit_scale: alignLogitScale(p, model) };
      const { losses, metrics, chance } = contrastiveObjective(values, undefined, undefined, {
        gather: model.contrastiveGather,
        smoothing: model.labelSmoothing,
        ...part,
      });
      return { losses, metrics, chance, statistics: p.observed() };
    },
  };
}
