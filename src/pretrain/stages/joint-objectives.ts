/** What the joint stage trains on each kind of batch: images alone, texts alone, pairs (FLAVA, arXiv:2112.04482 §3.3). */
import { maskedTexts } from "../../data/index.ts";
import { input } from "../../graph/index.ts";
import {
  contrastivePass,
  type FlavaConfig,
  imageBatch,
  logitScale,
  pairBatch,
  pretrainImages,
  pretrainPairs,
  pretrainTexts,
  textBatch,
} from "../../models/flava/index.ts";
import type { BatchSizes } from "../../models/index.ts";
import {
  contrastiveObjective,
  imageObjective,
  type LossWeights,
  maskedPairObjective,
  matchingChance,
  textObjective,
} from "../../objectives/index.ts";
import type { Feeds } from "../../tensor/index.ts";
import type { Contrast, Metrics, Objective } from "../../train/index.ts";
import type { JointStage } from "./joint.ts";
import { patchTargets, tokenTargets } from "./targets.ts";

/** The objectives by kind of batch, whatever their shares of the steps. */
export const jointObjectives = (
  model: FlavaConfig,
  stage: JointStage,
): Readonly<Record<"pair" | "contrast" | "image" | "text", Objective>> => ({
  pair: pairSteps(model, stage),
  contrast: pairSteps(model, { ...stage, itmNegativeRatio: 0, lossWeights: contrastAlone(stage.lossWeights) }),
  image: imageSteps(model, stage),
  text: textSteps(model, stage),
});

/** The weights without those of masked pairs and of matching. */
export const contrastAlone = (weights: LossWeights): LossWeights => ({ ...weights, itm: 0, mmmImage: 0, mmmText: 0 });

function imageSteps(model: FlavaConfig, stage: JointStage): Objective {
  const sizes = { textLength: 0, maskedTokens: 0, maskedPatches: stage.imageMasking.patches };
  return {
    batchSize: stage.imageBatchSize ?? stage.batchSize,
    targets: (part) => ({ mim: patchTargets(part) }),
    losses(p, batch) {
      const values = pretrainImages(p, model, imageBatch(model, { batch, ...sizes }));
      return { ...imageObjective(values, stage.lossWeights), checkpoints: values.masked.hidden_states };
    },
  };
}

function textSteps(model: FlavaConfig, stage: JointStage): Objective {
  const { length, mask } = maskedTexts(stage.textLength.texts, stage.textMasking);
  return {
    batchSize: stage.textBatchSize ?? stage.batchSize,
    targets: (part) => ({ mlm: tokenTargets(part) }),
    losses(p, batch) {
      const sizes = { batch, textLength: length, maskedTokens: mask.maxTargets, maskedPatches: 0 };
      const values = pretrainTexts(p, model, textBatch(sizes));
      return { ...textObjective(values, stage.lossWeights), checkpoints: values.masked.hidden_states };
    },
  };
}

function pairSteps(model: FlavaConfig, stage: JointStage): Objective {
  const { length, mask } = maskedTexts(stage.textLength.pairs, stage.pairMasking);
  const { lossWeights, batchSize } = stage;
  const guess = matchingChance(stage.itmNegativeRatio);
  const matching = lossWeights.itm > 0 ? { itm: lossWeights.itm * guess.loss, "itm/accuracy": guess.accuracy } : {};
  const sizes = (batch: number): BatchSizes => ({
    batch,
    textLength: length,
    maskedPatches: stage.imageMasking.patches,
    maskedTokens: mask.maxTargets,
  });
  return {
    batchSize,
    targets: pairTargets,
    losses(p, batch) {
      const values = pretrainPairs(p, model, pairBatch(model, sizes(batch)));
      const { image, text, multimodal } = values.masked;
      const kept = [image, text, multimodal].flatMap(({ hidden_states }) => hidden_states);
      const objective = maskedPairObjective(values, lossWeights);
      return { ...objective, chance: { ...objective.chance, ...matching }, checkpoints: kept };
    },
    contrast: lossWeights.globalContrastive > 0 ? contrastOf(model, lossWeights, sizes) : undefined,
  };
}

/** Targets of matched pairs only, as the losses count them; of all pairs where the whole batch has no matched one. */
function pairTargets(part: Feeds, whole: Feeds): Metrics {
  const labels = part.itm_labels!.data as Int32Array;
  const anyMatched = (whole.itm_labels!.data as Int32Array).some((label) => label !== 0);
  const rows = (name: string, isTarget: (x: number) => boolean): number => {
    const { data, shape } = part[name]!;
    const width = shape[1]!;
    return (data as Int32Array).reduce((n, x, i) => {
      const counts = !anyMatched || labels[Math.floor(i / width)] !== 0;
      return n + (counts && isTarget(x) ? 1 : 0);
    }, 0);
  };
  return {
    itm: labels.length,
    mmm_image: rows("mim_position_mask", (x) => x !== 0),
    mmm_text: rows("mlm_targets", (x) => x >= 0),
  };
}

/** The contrastive loss on the unmasked pass. */
function contrastOf(model: FlavaConfig, lossWeights: LossWeights, sizes: (batch: number) => BatchSizes): Contrast {
  return {
    embed(p, batch) {
      const { image_embeds, text_embeds } = contrastivePass(
        p.at("flava"),
        model,
        pairBatch(model, sizes(batch)),
      ).contrastive;
      return { image_embeds, text_embeds };
    },
    losses(p, { image_embeds, text_embeds }) {
      const labels = input("itm_labels", [image_embeds!.shape[0]!], "int32");
      const logit_scale = logitScale(p.at("flava"), model);
      const values = { image_embeds: image_embeds!, text_embeds: text_embeds!, logit_scale };
      return contrastiveObjective(values, labels, lossWeights, { gather: model.contrastiveGather });
    },
  };
}
