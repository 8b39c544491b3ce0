/** The contrastive stage of an ALIGN (Jia et al., arXiv:2102.05918 §4.2): pictures and noisy texts, and which belong together. */
import { z } from "zod";
import { input } from "../../graph/index.ts";
import { type AlignConfig, alignLogitScale, alignMomentum, alignPairs } from "../../models/align/index.ts";
import { contrastiveObjective } from "../../objectives/index.ts";
import type { Objective } from "../../train/index.ts";
import { adamW, augmentation, common, initFrom, schedule, whole } from "../recipe/parts-schema.ts";
import type { Recipe } from "../recipe/types.ts";
import type { StageKind, StagePlan } from "./stage.ts";
import { checkTowers, type TwoTowers, tinyTowers, towerDefaults, towerPairs, twoTowers } from "./two-towers.ts";

/** ALIGN's stage of a recipe, every default filled in. */
export interface AlignStage extends TwoTowers {
  readonly kind: "align";
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
  ...twoTowers,
  family: "align",
  schema,
  defaults: (given) => towerDefaults(given, 64),
  check: checkTowers,
  tiny: tinyTowers,
  plan,
};

function plan({ model }: Recipe<AlignConfig>, stage: AlignStage): StagePlan {
  return {
    objectives: { pair: objective(model, stage) },
    datasets: [towerPairs(model.image.imageSize, stage)],
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
