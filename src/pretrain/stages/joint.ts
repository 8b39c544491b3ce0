/**
 * The joint stage (arXiv:2112.04482 §3.3): a step reads images, texts or pairs, drawn by the sampling ratios, and trains mim,
 * mlm, or the contrastive, matching and masked multimodal losses.
 */
import { input, mul } from "../../graph/index.ts";
import {
  type BatchSizes,
  contrastiveProjection,
  type FlavaConfig,
  flavaImage,
  flavaText,
  imageBatch,
  logitScale,
  pairBatch,
  pretrainImages,
  pretrainPairs,
  pretrainTexts,
  textBatch,
} from "../../models/flava/index.ts";
import { l2Normalize } from "../../nn/index.ts";
import {
  globalContrastive,
  imageObjective,
  pairObjective,
  pairWeights,
  textObjective,
} from "../../objectives/index.ts";
import type { BatchKind, Contrast, Feeds, Judged, Metrics, PlannedDataset, StagePlan } from "../../train/stage.ts";
import type { JointStage, Recipe } from "../recipe/types.ts";
import { maskedImages, maskedTexts, patchTargets, tokenTargets } from "./masking.ts";

/** The plan of a joint stage. `recipe.model` has the sizes of the vocabulary in use. */
export function planJoint(recipe: Recipe, stage: JointStage): StagePlan {
  const { sampling } = stage;
  const all: Record<string, BatchKind> = {
    pair: pairKind(recipe.model, stage),
    image: imageKind(recipe.model, stage),
    text: textKind(recipe.model, stage),
  };
  const ratios: Record<string, number> = { pair: sampling.pairs, image: sampling.images, text: sampling.texts };
  return {
    kinds: Object.fromEntries(Object.entries(all).filter(([kind]) => ratios[kind]! > 0)),
    datasets: datasetsOf(recipe, stage).filter(({ ratio }) => ratio! > 0),
    lossWeights: logNames(stage.lossWeights),
  };
}

/** The weights by the names under which losses are logged. */
const logNames = ({ globalContrastive, mmmImage, mmmText, ...same }: JointStage["lossWeights"]): Metrics => ({
  ...same,
  global_contrastive: globalContrastive,
  mmm_image: mmmImage,
  mmm_text: mmmText,
});

function datasetsOf({ model }: Recipe, stage: JointStage): PlannedDataset[] {
  const { sampling, textLength, pack } = stage;
  const image = maskedImages(model, stage.imageMasking, stage.augmentation);
  return [
    {
      kind: "pair",
      data: "pairs",
      ratio: sampling.pairs,
      negatives: stage.lossWeights.itm > 0 ? stage.itmNegativeRatio : 0,
      build: { kind: "pair", image, text: maskedTexts(textLength.pairs, stage.pairMasking) },
    },
    { kind: "image", data: "images", ratio: sampling.images, build: { kind: "image", image } },
    {
      kind: "text",
      data: "texts",
      ratio: sampling.texts,
      pack: pack && { breakMode: pack },
      build: { kind: "text", text: maskedTexts(textLength.texts, stage.textMasking) },
    },
  ];
}

function imageKind(model: FlavaConfig, stage: JointStage): BatchKind {
  const sizes = { textLength: 0, maskedTokens: 0, maskedPatches: stage.imageMasking.patches };
  return {
    batchSize: stage.imageBatchSize ?? stage.batchSize,
    targets: (part) => ({ mim: patchTargets(part) }),
    judge(p, batch) {
      const values = pretrainImages(p, model, imageBatch(model, { batch, ...sizes }));
      return { ...imageObjective(values, stage.lossWeights), checkpoints: values.masked.hidden_states };
    },
  };
}

function textKind(model: FlavaConfig, stage: JointStage): BatchKind {
  const { length, mask } = maskedTexts(stage.textLength.texts, stage.textMasking);
  return {
    batchSize: stage.textBatchSize ?? stage.batchSize,
    targets: (part) => ({ mlm: tokenTargets(part) }),
    judge(p, batch) {
      const sizes = { batch, textLength: length, maskedTokens: mask.maxTargets, maskedPatches: 0 };
      const values = pretrainTexts(p, model, textBatch(sizes));
      return { ...textObjective(values, stage.lossWeights), checkpoints: values.masked.hidden_states };
    },
  };
}

function pairKind(model: FlavaConfig, stage: JointStage): BatchKind {
  const { length, mask } = maskedTexts(stage.textLength.pairs, stage.pairMasking);
  const { lossWeights, batchSize } = stage;
  const sizes = (batch: number): BatchSizes => ({
    batch,
    textLength: length,
    maskedPatches: stage.imageMasking.patches,
    maskedTokens: mask.maxTargets,
  });
  return {
    batchSize,
    targets: pairTargets,
    judge(p, batch) {
      const values = pretrainPairs(p, model, pairBatch(model, sizes(batch)));
      const { image, text, multimodal } = values.masked;
      const kept = [image, text, multimodal].flatMap(({ hidden_states }) => hidden_states);
      return { ...pairObjective(values, { ...lossWeights, globalContrastive: 0 }), checkpoints: kept };
    },
    contrast: lossWeights.globalContrastive > 0 ? contrastOf(model, stage, sizes) : undefined,
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
function contrastOf(model: FlavaConfig, stage: JointStage, sizes: (batch: number) => BatchSizes): Contrast {
  const weight = stage.lossWeights.globalContrastive;
  return {
    embed(p, batch) {
      const { pixel_values, input_ids, attention_mask } = pairBatch(model, sizes(batch));
      const flava = p.at("flava");
      const image = flavaImage(flava, model, { pixel_values });
      const text = flavaText(flava, model, { input_ids, attention_mask });
      return flava.scope(() => ({
        image_embeds: l2Normalize(contrastiveProjection(flava, model, "image", image)),
        text_embeds: l2Normalize(contrastiveProjection(flava, model, "text", text)),
      }));
    },
    judge(p, { image_embeds, text_embeds }): Judged {
      const labels = input("itm_labels", [image_embeds!.shape[0]!], "int32");
      const { loss, chance, imageToText, textToImage } = globalContrastive(
        image_embeds!,
        text_embeds!,
        logitScale(p.at("flava"), model),
        { gather: model.contrastiveGather, weights: pairWeights(labels, image_embeds!) },
      );
      return {
        losses: { global_contrastive: weight === 1 ? loss : mul(loss, weight) },
        metrics: {
          "global_contrastive/accuracy": imageToText.accuracy,
          "global_contrastive/text_accuracy": textToImage.accuracy,
          "global_contrastive/count": imageToText.count,
        },
        chance: { global_contrastive: weight * chance },
      };
    },
  };
}
