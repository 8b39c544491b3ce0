/** What the joint stage trains on each kind of batch: images alone, texts alone, pairs (FLAVA, arXiv:2112.04482 §3.3). */
import {
  type Augmentation,
  type BatchBuild,
  maskedImages,
  maskedTexts,
  type PatchMasking,
  type TokenMasking,
} from "../../data/batch/index.ts";
import { input } from "../../graph/index.ts";
import {
  contrastivePass,
  type FlavaConfig,
  flavaFamily,
  imageBatch,
  logitScale,
  pairBatch,
  pretrainImages,
  pretrainPairs,
  pretrainTexts,
  textBatch,
} from "../../models/flava/index.ts";
import type { BatchSizes } from "../../models/index.ts";
import type { Params } from "../../nn/index.ts";
import {
  contrastiveObjective,
  imageObjective,
  type LossWeights,
  maskedPairObjective,
  matchingChance,
  type PairObjective,
  textObjective,
} from "../../objectives/index.ts";
import type { Metrics, Objective, Part } from "../../train/index.ts";

/** What of a joint stage decides its objectives and batches. This file and what it imports run in browsers too. */
export interface JointChoices {
  readonly batchSize: number;
  /** Batch size of image-only and text-only steps; null: `batchSize`. */
  readonly imageBatchSize: number | null;
  readonly textBatchSize: number | null;
  readonly lossWeights: LossWeights;
  /** Share of pairs that get the caption of another image. */
  readonly itmNegativeRatio: number;
  /** Workers whose parts of a batch the contrastive loss keeps apart where `model.contrastiveGather` is not "global"; 1 unless said. */
  readonly contrastiveParts?: number | undefined;
  /** Tokens of a caption and of an unpaired text. */
  readonly textLength: { readonly pairs: number; readonly texts: number };
  readonly imageMasking: PatchMasking;
  readonly textMasking: TokenMasking;
  readonly pairMasking: TokenMasking;
  readonly augmentation: Augmentation;
}

/** What the batches of each kind are made of. */
export function jointBuilds(
  model: FlavaConfig,
  stage: JointChoices,
): Readonly<Record<"pair" | "contrast" | "image" | "text", BatchBuild>> {
  const image = maskedImages(flavaFamily.of(model).pictures!, stage.imageMasking, stage.augmentation);
  const pair = { kind: "pair", image, text: maskedTexts(stage.textLength.pairs, stage.pairMasking) } as const;
  const text = maskedTexts(stage.textLength.texts, stage.textMasking);
  return { pair, contrast: pair, image: { kind: "image", image }, text: { kind: "text", text } };
}

/** The weights by the names under which losses are logged. */
export const logNames = ({ globalContrastive, mmmImage, mmmText, ...same }: LossWeights): Metrics => ({
  ...same,
  global_contrastive: globalContrastive,
  mmm_image: mmmImage,
  mmm_text: mmmText,
});

/** The objectives by kind of batch, whatever their shares of the steps. */
export const jointObjectives = (
  model: FlavaConfig,
  stage: JointChoices,
): Readonly<Record<"pair" | "contrast" | "image" | "text", Objective>> => ({
  pair: pairSteps(model, stage),
  contrast: pairSteps(model, { ...stage, itmNegativeRatio: 0, lossWeights: contrastAlone(stage.lossWeights) }),
  image: imageSteps(model, stage),
  text: textSteps(model, stage),
});

/** The weights without those of masked pairs and of matching. */
export const contrastAlone = (weights: LossWeights): LossWeights => ({ ...weights, itm: 0, mmmImage: 0, mmmText: 0 });

function imageSteps(model: FlavaConfig, stage: JointChoices): Objective {
  const sizes = { textLength: 0, maskedTokens: 0, maskedPatches: stage.imageMasking.patches };
  return {
    batchSize: stage.imageBatchSize ?? stage.batchSize,
    losses(p, batch, part) {
      const values = pretrainImages(p, model, imageBatch(model, { batch, ...sizes }));
      return { ...imageObjective(values, stage.lossWeights, part), checkpoints: values.masked.hidden_states };
    },
  };
}

function textSteps(model: FlavaConfig, stage: JointChoices): Objective {
  const { length, mask } = maskedTexts(stage.textLength.texts, stage.textMasking);
  return {
    batchSize: stage.textBatchSize ?? stage.batchSize,
    losses(p, batch, part) {
      const sizes = { batch, textLength: length, maskedTokens: mask.maxTargets, maskedPatches: 0 };
      const values = pretrainTexts(p, model, textBatch(sizes));
      return { ...textObjective(values, stage.lossWeights, part), checkpoints: values.masked.hidden_states };
    },
  };
}

function pairSteps(model: FlavaConfig, stage: JointChoices): Objective {
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
    losses(p, batch, part) {
      const values = pretrainPairs(p, model, pairBatch(model, sizes(batch)));
      const { image, text, multimodal } = values.masked;
      const kept = [image, text, multimodal].flatMap(({ hidden_states }) => hidden_states);
      const own = maskedPairObjective(values, lossWeights, part);
      const compared = lossWeights.globalContrastive > 0 ? contrast(p, batch, part) : undefined;
      return {
        losses: { ...own.losses, ...compared?.losses },
        metrics: { ...own.metrics, ...compared?.metrics },
        chance: { ...own.chance, ...matching, ...compared?.chance },
        checkpoints: kept,
      };
    },
  };

  /** The contrastive loss, on the unmasked pass. */
  function contrast(p: Params, batch: number, part: Part): PairObjective {
    const { image_embeds, text_embeds } = contrastivePass(
      p.at("flava"),
      model,
      pairBatch(model, sizes(batch)),
    ).contrastive;
    const labels = input("itm_labels", [batch], "int32");
    const values = { image_embeds, text_embeds, logit_scale: logitScale(p.at("flava"), model) };
    return contrastiveObjective(values, labels, lossWeights, {
      gather: model.contrastiveGather,
      apart: stage.contrastiveParts,
      ...part,
    });
  }
}
