/** The codebook stage: a dVAE with relaxed samples, its temperature and divergence schedules (arXiv:2102.12092, appendix A). */
import { input } from "../../graph/index.ts";
import { dvae } from "../../models/dvae/index.ts";
import { codebookImageSize } from "../../models/flava/index.ts";
import { dvaeLoss } from "../../objectives/index.ts";
import { cosineRamp, scalarInput } from "../../optim/index.ts";
import type { StagePlan } from "../../train/stage.ts";
import type { DvaeStage, Ramp, Recipe } from "../recipe/types.ts";
import { gumbel } from "./gumbel.ts";
import { augment } from "./masking.ts";

const rampOf = ({ start, end, steps }: Ramp) => cosineRamp(start, end, steps);

/** The plan of a codebook stage. */
export function planDvae({ model, seed }: Recipe, stage: DvaeStage): StagePlan {
  const config = model.codebook!;
  const side = stage.imageSize ?? codebookImageSize(model);
  const places = side / 2 ** (config.groups - 1);
  const noise = (batch: number) => [batch, config.vocabSize, places, places];
  const [temperature, kl] = [rampOf(stage.temperature), rampOf(stage.kl)];
  return {
    kinds: {
      dvae: {
        batchSize: stage.batchSize,
        judge(p, batch) {
          const pixels = input("codebook_pixel_values", [batch, config.channels, side, side]);
          const out = dvae(p, config, pixels, input("gumbel", noise(batch)), scalarInput("temperature"));
          const { loss, reconstruction, kl: divergence } = dvaeLoss({ ...out, pixels, beta: scalarInput("kl_weight") });
          // The divergence has no guess to beat: 0 is a codebook that says nothing.
          return { losses: { dvae: loss }, metrics: { reconstruction, kl: divergence }, chance: {} };
        },
      },
    },
    datasets: [
      { kind: "dvae", data: "images", build: { kind: "dvae", size: side, augment: augment(stage.augmentation) } },
    ],
    scalars: (step) => ({ temperature: temperature(step), kl_weight: kl(step) }),
    noise: (step) => ({ gumbel: gumbel(seed, step, noise(stage.batchSize)) }),
  };
}
