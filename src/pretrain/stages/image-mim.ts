/** The image stage by masked image modelling: visual words of a frozen codebook at masked patches (BEiT, arXiv:2106.08254). */
import { z } from "zod";
import { type Augmentation, maskedImages, type PatchMasking } from "../../data/index.ts";
import { createMim } from "../../evaluators/index.ts";
import { flavaFamily, imageBatch, pretrainImages } from "../../models/flava/index.ts";
import { equalWeights, imageObjective } from "../../objectives/index.ts";
import { imagePatches } from "../../pictures/index.ts";
import { adamW, augmentation, common, initFrom, patchMasking, schedule } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { checkPatches, checkSource } from "./checks.ts";
import { maskFor, scaleFor } from "./defaults.ts";
import { knn, NO_DECODER } from "./shared.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { tinyMasking } from "./tiny.ts";

/** The image stage by masked image modelling, every default filled in. */
export interface ImageMimStage extends StageBase {
  readonly kind: "image-mim";
  readonly masking: PatchMasking;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly codebook: InitFrom };
}

/** BEiT's run for ViT-B (arXiv:2106.08254, appendix): 300 epochs of ImageNet-1k at batch 2048. */
const schema = z.strictObject({
  kind: z.literal("image-mim"),
  ...common({ steps: 187_500, batchSize: 2048 }),
  optimizer: adamW({ lr: 1.5e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.05 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 3125, finalLr: 1e-5 }),
  masking: patchMasking,
  augmentation,
  init: z.strictObject({ image: initFrom("random"), codebook: initFrom("random") }).prefault({}),
});

export const imageMimKind: StageKind<ImageMimStage> = {
  family: "flava",
  schema,
  gives: ["image"],
  startsFrom: ["image", "codebook"],
  defaults: (given) => ({
    ...scaleFor(given, {
      tiny: { steps: 200, batchSize: 16, lr: 2e-3 },
      small: { steps: 400, batchSize: 64, lr: 1e-3 },
    }).raw,
    masking: maskFor(given),
  }),
  reads: ({ steps, batchSize }) => ({ images: steps * batchSize }),
  check(recipe, { masking }, report) {
    checkSource(recipe, "images", report);
    if (!recipe.model.codebook) report([], "this predicts visual words, but model.codebook is null");
    checkPatches(recipe, masking, report, ["masking"]);
  },
  tiny: (stage, recipe) => ({ ...stage, masking: tinyMasking(recipe, stage.masking) }),
  plan,
  measures: { mim: "validation", knn: "labelled" },
  evaluators: (context, held, { masking }) => [
    createMim(context, { pairs: Object.values(held.validation), masking }),
    knn(context, held),
  ],
  async *pictures(drawing, { masking }, note) {
    if (!drawing.decoder) note(NO_DECODER);
    yield ["65-patches", await imagePatches(drawing, masking)];
  },
};

function plan({ model }: Recipe, stage: ImageMimStage): StagePlan {
  const image = maskedImages(flavaFamily.of(model).pictures!, stage.masking, stage.augmentation);
  return {
    objectives: {
      image: {
        batchSize: stage.batchSize,
        losses(p, batch, part) {
          const sizes = { batch, textLength: 0, maskedTokens: 0, maskedPatches: stage.masking.patches };
          const values = pretrainImages(p, model, imageBatch(model, sizes));
          return { ...imageObjective(values, equalWeights, part), checkpoints: values.masked.hidden_states };
        },
      },
    },
    datasets: [{ kind: "image", data: "images", build: { kind: "image", image } }],
  };
}
