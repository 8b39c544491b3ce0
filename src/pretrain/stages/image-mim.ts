/** The image stage by masked image modelling: visual words of a frozen codebook at masked patches (BEiT, arXiv:2106.08254). */
import { imageBatch, pretrainImages } from "../../models/flava/index.ts";
import { imageObjective } from "../../objectives/index.ts";
import type { StagePlan } from "../../train/stage.ts";
import type { ImageMimStage, Recipe } from "../recipe/types.ts";
import { maskedImages, patchTargets } from "./masking.ts";

/** The plan of an image stage with visual words. */
export function planImageMim({ model }: Recipe, stage: ImageMimStage): StagePlan {
  const image = maskedImages(model, stage.masking, stage.augmentation);
  return {
    kinds: {
      image: {
        batchSize: stage.batchSize,
        targets: (part) => ({ mim: patchTargets(part) }),
        judge(p, batch) {
          const sizes = { batch, textLength: 0, maskedTokens: 0, maskedPatches: stage.masking.patches };
          const values = pretrainImages(p, model, imageBatch(model, sizes));
          return { ...imageObjective(values, model.lossWeights), checkpoints: values.masked.hidden_states };
        },
      },
    },
    datasets: [{ kind: "image", data: "images", build: { kind: "image", image } }],
  };
}
