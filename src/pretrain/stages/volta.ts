/**
 * The stage of ViLBERT, LXMERT, VL-BERT, VisualBERT and UNITER in the controlled study (Bugliarello et al., arXiv:2011.15124 §4): masked words,
 * masked regions by the detector's classes, and whether text and picture belong together.
 */
import { z } from "zod";
import { maskedTexts, type TokenMasking } from "../../data/index.ts";
import { cast, equal, input, mul, reshape } from "../../graph/index.ts";
import {
  type VoltaConfig,
  volta,
  voltaInputs,
  voltaMatching,
  voltaRegions,
  voltaWords,
} from "../../models/volta/index.ts";
import { imageTextMatching, maskedRegionClasses, matchingChance } from "../../objectives/index.ts";
import type { Objective } from "../../train/index.ts";
import { adamW, common, initFrom, schedule, share, tokenMasking, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import {
  checkRegionStage,
  maskedWords,
  matchedPairs,
  type RegionChoice,
  regionBuild,
  regionChoice,
  regionStage,
  spread,
  weighted,
} from "./region-parts.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";

/** The stage of a recipe, every default filled in. */
export interface VoltaStage extends StageBase {
  readonly kind: "volta";
  readonly textLength: number;
  readonly masking: TokenMasking;
  readonly regions: RegionChoice;
  /** Share of the regions whose class is predicted. */
  readonly regionMasking: number;
  /** Share of pairs that get another picture's caption. */
  readonly mismatched: number;
  readonly lossWeights: { readonly mlm: number; readonly mrc: number; readonly itm: number };
  readonly init: { readonly model: InitFrom };
}

const weight = z.number().nonnegative().default(1);

/** VOLTA's pretraining on Conceptual Captions: ten epochs of 2.77 M pairs. */
const schema = z.strictObject({
  kind: z.literal("volta"),
  ...common({ steps: 108_200, batchSize: 256, clipNorm: 5 }),
  optimizer: adamW({ lr: 1e-4, betas: [0.9, 0.999], eps: 1e-6, weightDecay: 0.01 }),
  schedule: schedule({ kind: "linear", warmupSteps: 10_820 }),
  textLength: whole.default(38).describe("Tokens of a caption."),
  masking: tokenMasking(false),
  regions: regionChoice(36),
  regionMasking: share
    .default(0.15)
    .describe("Of the regions, how many are to be predicted; nine in ten of them are hidden."),
  mismatched: share.default(0.5).describe("Pairs with another picture's caption; they carry no masked loss."),
  lossWeights: z.strictObject({ mlm: weight, mrc: weight, itm: weight }).prefault({}),
  init: z.strictObject({ model: initFrom("random") }).prefault({}),
});

export const voltaKind: StageKind<VoltaStage, VoltaConfig> = {
  family: "volta",
  schema,
  ...regionStage<VoltaStage, VoltaConfig>(38, ({ lossWeights }) => lossWeights.itm > 0),
  check(recipe, stage, report) {
    checkRegionStage(recipe, stage, report);
    if (recipe.model.pretrainingHeads !== "study")
      report(
        [],
        `this trains the controlled study's heads: expected model.pretrainingHeads study, got ${recipe.model.pretrainingHeads}`,
      );
    const last = stage.textLength + stage.regions.most + 2;
    if (recipe.model.embeddings === "vl-bert" && last > recipe.model.text.maxPositions)
      report(
        ["textLength"],
        `words and regions take ${last} positions, more than model.text.maxPositions ${recipe.model.text.maxPositions}`,
      );
  },
  plan,
};

function plan({ model }: Recipe<VoltaConfig>, stage: VoltaStage): StagePlan {
  const { features, classes, waves, box, mean } = model.regions;
  const text = maskedTexts(stage.textLength, stage.masking);
  const regions = regionBuild(stage.regions, {
    features,
    classes,
    box,
    mean,
    masked: stage.regionMasking,
    ...(model.embeddings === "vl-bert" && { waves }),
  });
  return {
    objectives: { pair: objective(model, stage, text.mask.maxTargets) },
    datasets: [
      {
        kind: "pair",
        data: "pairs",
        build: { kind: "regions", regions, text, tags: false },
        negatives: stage.mismatched,
      },
    ],
    lossWeights: stage.lossWeights,
  };
}

function objective(model: VoltaConfig, stage: VoltaStage, tokens: number): Objective {
  const { batchSize, textLength, lossWeights: w } = stage;
  const R = stage.regions.most;
  const first = model.regions.mean ? 1 : 0;
  return {
    batchSize,
    losses(p, batch, part) {
      const fed = voltaInputs(model, { batch, textLength, regions: R + first });
      const masked = { ...fed, input_ids: input("input_ids_masked", [batch, textLength], "int32") };
      const { states } = volta(p, model, masked);
      const mismatch = input("mismatch", [batch], "int32");
      const counted = matchedPairs(mismatch, states.text, part);
      const mlm = maskedWords(states.text, { tokens, counted, head: (rows) => voltaWords(p, model, rows) }, part);
      const C = model.regions.classes;
      const mrc = maskedRegionClasses(
        {
          predicted: reshape(voltaRegions(p, model, states.vision), [batch * R, C]),
          targets: reshape(input("region_classes", [batch, R, C]), [batch * R, C]),
          weights: mul(reshape(input("region_weights", [batch, R]), [batch * R]), spread(counted, R)),
        },
        part,
      );
      // Class 0 is "matched": as labels of matching, 1 is another caption.
      const itm = imageTextMatching(
        voltaMatching(p, model, states),
        cast(equal(cast(equal(mismatch, 0), "int32"), 0), "int32"),
        part,
      );
      const guess = matchingChance(stage.mismatched);
      const { losses, chance } = weighted(
        { mlm, mrc: { loss: mrc, chance: Math.log(C) }, itm: { loss: itm.loss, chance: guess.loss } },
        w,
      );
      return {
        losses,
        metrics: { "mlm/accuracy": mlm.accuracy, "mlm/count": mlm.count, "itm/accuracy": itm.accuracy },
        chance: { ...chance, "itm/accuracy": guess.accuracy },
      };
    },
  };
}
