/** The contrastive stage of a CLIP (Radford et al., arXiv:2103.00020 §2.3): pictures and captions, and which belong together. */
import { z } from "zod";
import { input } from "../../graph/index.ts";
import { type ClipConfig, clipLogitScale, clipPairs } from "../../models/clip/index.ts";
import { averaged } from "../../nn/index.ts";
import { contrastiveObjective } from "../../objectives/index.ts";
import type { Objective } from "../../train/index.ts";
import { adamW, augmentation, common, initFrom, schedule, whole } from "../recipe/parts-schema.ts";
import type { Recipe } from "../recipe/types.ts";
import type { StageKind, StagePlan } from "./stage.ts";
import { checkTowers, type TwoTowers, tinyTowers, towerDefaults, towerPairs, twoTowers } from "./two-towers.ts";

/** The contrastive stage of a recipe, every default filled in. */
export interface ClipStage extends TwoTowers {
  readonly kind: "clip";
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
  ...twoTowers,
  family: "clip",
  schema,
  defaults: (given) => towerDefaults(given, 77),
  check: checkTowers,
  tiny: tinyTowers,
  plan,
};

function plan({ model }: Recipe<ClipConfig>, stage: ClipStage): StagePlan {
  return {
    objectives: { pair: objective(model, stage) },
    datasets: [towerPairs(model.image.imageSize, stage)],
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
