/**
 * The stage of Oscar+ (VinVL, Zhang et al., arXiv:2101.00529 §3.2): masked words of captions and object tags beside the regions, and three classes
 * of a triple: matched, with another picture's tags, with another picture's caption.
 */
import { z } from "zod";
import { maskedTexts, type TokenMasking } from "../../data/index.ts";
import { cast, equal, input, slice } from "../../graph/index.ts";
import { type VinvlConfig, vinvl, vinvlClasses, vinvlInputs, vinvlWords } from "../../models/vinvl/index.ts";
import { maskedCrossEntropy } from "../../objectives/index.ts";
import type { Objective } from "../../train/index.ts";
import { adamW, common, initFrom, schedule, share, tokenMasking, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import {
  checkRegionStage,
  maskedWords,
  type RegionChoice,
  regionBuild,
  regionChoice,
  regionStage,
  weighted,
} from "./region-parts.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";

/** The stage of a recipe, every default filled in. */
export interface VinvlStage extends StageBase {
  readonly kind: "vinvl";
  /** Tokens of a caption with its tags. */
  readonly textLength: number;
  readonly masking: TokenMasking;
  readonly regions: RegionChoice;
  /** Share of triples with another picture's caption or tags, half of each; with two classes captions alone. */
  readonly mismatched: number;
  readonly lossWeights: { readonly mlm: number; readonly triple: number };
  readonly init: { readonly model: InitFrom };
}

const weight = z.number().nonnegative().default(1);

/** microsoft/Oscar, the released command of VinVL's pretraining. */
const schema = z.strictObject({
  kind: z.literal("vinvl"),
  ...common({ steps: 2_000_000, batchSize: 1024, clipNorm: 10 }),
  optimizer: adamW({ lr: 5e-5, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 }),
  schedule: schedule({ kind: "linear", warmupSteps: 0 }),
  textLength: whole.default(35).describe("Tokens of a caption and its object tags."),
  masking: tokenMasking(false),
  regions: regionChoice(50),
  mismatched: share.default(0.5).describe("Triples with wrong tags or a wrong caption, half of each."),
  lossWeights: z.strictObject({ mlm: weight, triple: weight }).prefault({}),
  init: z.strictObject({ model: initFrom("random") }).prefault({}),
});

export const vinvlKind: StageKind<VinvlStage, VinvlConfig> = {
  family: "vinvl",
  schema,
  ...regionStage<VinvlStage, VinvlConfig>(35, ({ lossWeights }) => lossWeights.triple > 0),
  check: checkRegionStage,
  plan,
};

function plan({ model }: Recipe<VinvlConfig>, stage: VinvlStage): StagePlan {
  const text = maskedTexts(stage.textLength, stage.masking);
  const regions = regionBuild(stage.regions, {
    features: model.regions.features,
    box: 6,
    mean: false,
    masked: null,
    classes: 0,
  });
  return {
    objectives: { pair: objective(model, stage, text.mask.maxTargets) },
    datasets: [
      {
        kind: "pair",
        data: "pairs",
        build: { kind: "regions", regions, text, tags: true },
        negatives: stage.mismatched,
      },
    ],
    lossWeights: stage.lossWeights,
  };
}

function objective(model: VinvlConfig, stage: VinvlStage, tokens: number): Objective {
  const { batchSize, textLength, lossWeights: w, mismatched } = stage;
  const shares = [1 - mismatched, mismatched / 2, mismatched / 2];
  return {
    batchSize,
    losses(p, batch, part) {
      const fed = vinvlInputs(model, { batch, textLength, regions: stage.regions.most });
      const masked = { ...fed, input_ids: input("input_ids_masked", [batch, textLength], "int32") };
      const { hidden_states, pooler_output } = vinvl(p, model, masked);
      const states = slice(hidden_states.at(-1)!, 1, 0, textLength);
      const mlm = maskedWords(states, { tokens, head: (rows) => vinvlWords(p, model, rows) }, part);
      const mismatch = input("mismatch", [batch], "int32");
      const targets = model.classes === 3 ? mismatch : cast(equal(cast(equal(mismatch, 0), "int32"), 0), "int32");
      const weights = cast(equal(mismatch, mismatch), pooler_output.dtype);
      const triple = maskedCrossEntropy({ logits: vinvlClasses(p, model, pooler_output), targets, weights }, part);
      const guess = shares.reduce((sum, q) => sum - (q > 0 ? q * Math.log(q) : 0), 0);
      const { losses, chance } = weighted({ mlm, triple: { loss: triple.loss, chance: guess } }, w);
      return {
        losses,
        metrics: { "mlm/accuracy": mlm.accuracy, "mlm/count": mlm.count, "triple/accuracy": triple.accuracy },
        chance: { ...chance, ...(w.triple > 0 && { "triple/accuracy": Math.max(...shares) }) },
        checkpoints: hidden_states,
      };
    },
  };
}
