/** The stages of FLAVA's pretraining, by kind. */
import { emaName } from "../../optim/index.ts";
import type { StagePlan } from "../../train/stage.ts";
import type { Recipe, Stage, StageKind } from "../recipe/types.ts";
import { planDvae } from "./dvae.ts";
import { planImageDino } from "./image-dino.ts";
import { planImageMim } from "./image-mim.ts";
import { planJoint } from "./joint.ts";
import { planTextMlm } from "./text-mlm.ts";

/** A new kind of stage is a new line here. */
const PLANS: { readonly [K in StageKind]: (recipe: Recipe, stage: Extract<Stage, { kind: K }>) => StagePlan } = {
  dvae: planDvae,
  "text-mlm": planTextMlm,
  "image-mim": planImageMim,
  "image-dino": planImageDino,
  joint: planJoint,
};

/** What a stage of the recipe trains on what. `recipe.model` has the sizes of the vocabulary in use. */
export function planStage(recipe: Recipe, stage: Stage): StagePlan {
  const plan = (PLANS[stage.kind] as (recipe: Recipe, stage: Stage) => StagePlan)(recipe, stage);
  return stage.ema === null || plan.average ? plan : { ...plan, average: { name: emaName, decay: stage.ema } };
}
