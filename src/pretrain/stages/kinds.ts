/** The kinds of stages, one row each. A new kind is a file beside this one and a row here. */
import { emaName } from "../../optim/index.ts";
import type { Recipe } from "../recipe/types.ts";
import { type AlbefStage, albefKind } from "./albef.ts";
import { type AlignStage, alignKind } from "./align.ts";
import { type ClipStage, clipKind } from "./clip.ts";
import { type DvaeStage, dvaeKind } from "./dvae.ts";
import { type ImageDinoStage, imageDinoKind } from "./image-dino.ts";
import { type ImageMimStage, imageMimKind } from "./image-mim.ts";
import { type JointStage, jointKind } from "./joint.ts";
import { type SimvlmStage, simvlmKind } from "./simvlm.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { type TextMlmStage, textMlmKind } from "./text-mlm.ts";
import { type UnitStage, unitKind } from "./unit.ts";
import { type ViltStage, viltKind } from "./vilt.ts";
import { type VinvlStage, vinvlKind } from "./vinvl.ts";
import { type VoltaStage, voltaKind } from "./volta.ts";

interface Stages {
  readonly dvae: DvaeStage;
  readonly "text-mlm": TextMlmStage;
  readonly "image-mim": ImageMimStage;
  readonly "image-dino": ImageDinoStage;
  readonly joint: JointStage;
  readonly clip: ClipStage;
  readonly simvlm: SimvlmStage;
  readonly vilt: ViltStage;
  readonly align: AlignStage;
  readonly vinvl: VinvlStage;
  readonly volta: VoltaStage;
  readonly unit: UnitStage;
  readonly albef: AlbefStage;
}

/** By the name that recipes call them. */
export const stageKinds: { readonly [K in keyof Stages]: StageKind<Stages[K], unknown> } = {
  dvae: dvaeKind,
  "text-mlm": textMlmKind,
  "image-mim": imageMimKind,
  "image-dino": imageDinoKind,
  joint: jointKind,
  clip: clipKind,
  simvlm: simvlmKind,
  vilt: viltKind,
  align: alignKind,
  vinvl: vinvlKind,
  volta: voltaKind,
  unit: unitKind,
  albef: albefKind,
};

/** Any stage of a recipe. */
export type Stage = Stages[keyof Stages];

/** What a stage of the recipe trains on what, its averaged weights among it. */
export function planStage(kind: StageKind<StageBase>, recipe: Recipe, stage: StageBase): StagePlan {
  const plan = kind.plan(recipe, stage);
  return stage.ema === null || plan.average ? plan : { ...plan, average: { name: emaName, decay: stage.ema } };
}
