/** The kinds of models, one row each. A new model is a folder beside this file and a row here. */

import type { AlbefConfig } from "./albef/config.ts";
import { albefFamily } from "./albef/family.ts";
import type { AlignConfig } from "./align/config.ts";
import { alignFamily } from "./align/family.ts";
import type { ClipConfig } from "./clip/config.ts";
import { clipFamily } from "./clip/family.ts";
import type { FlavaConfig } from "./flava/config.ts";
import { flavaFamily } from "./flava/family.ts";
import { type Layout, type NamedWeights, ownNames, recognised, type TensorSource, underOurNames } from "./layout.ts";
import type { ConfigJson, PublishedFamily } from "./model.ts";
import type { SimvlmConfig } from "./simvlm/config.ts";
import { simvlmFamily } from "./simvlm/family.ts";
import type { UnitConfig } from "./unit/config.ts";
import { unitFamily } from "./unit/family.ts";
import type { ViltConfig } from "./vilt/config.ts";
import { viltFamily } from "./vilt/family.ts";
import type { VinvlConfig } from "./vinvl/config.ts";
import { vinvlFamily } from "./vinvl/family.ts";
import type { VoltaConfig } from "./volta/config.ts";
import { voltaFamily } from "./volta/family.ts";

interface Configs {
  readonly flava: FlavaConfig;
  readonly clip: ClipConfig;
  readonly simvlm: SimvlmConfig;
  readonly vilt: ViltConfig;
  readonly align: AlignConfig;
  readonly vinvl: VinvlConfig;
  readonly volta: VoltaConfig;
  readonly unit: UnitConfig;
  readonly albef: AlbefConfig;
}

/** What a recipe can name as its family. */
export type FamilyName = keyof Configs;

/** The configuration of any family's model. */
export type ModelConfig = Configs[FamilyName];

/** By the name that recipes call them. */
export const families: { readonly [F in FamilyName]: PublishedFamily<Configs[F]> } = {
  flava: flavaFamily,
  clip: clipFamily,
  simvlm: simvlmFamily,
  vilt: viltFamily,
  align: alignFamily,
  vinvl: vinvlFamily,
  volta: voltaFamily,
  unit: unitFamily,
  albef: albefFamily,
};

/** A family, whichever it is. */
export type AnyFamily = PublishedFamily<unknown>;

/** What a file of weights is. */
export interface FoundFamily {
  readonly family: AnyFamily;
  readonly named: NamedWeights;
}

/**
 * The family of a file of weights, and the file under its names: that of the config.json where it is one that is known, else the first
 * whose code bases have such names. Throws CheckpointError for a file of none.
 */
export function familyOfWeights(file: TensorSource, config: ConfigJson | undefined): FoundFamily {
  const all = Object.values(families) as AnyFamily[];
  const typed = config?.model_type === undefined ? undefined : all.find((family) => family.isConfig(config));
  const family = typed ?? all.find((each) => recognised(file, wholeModels(each)));
  const whole = Object.assign({}, ...(family ? [family] : all).map(wholeModels)) as Record<string, Layout>;
  // What was fine-tuned here has our names, and perhaps one encoder alone, which no code base is told by.
  const isTuned = typed !== undefined && config?.flava_task !== undefined && !recognised(file, whole);
  const known = isTuned ? { [Object.keys(typed.layouts)[0]!]: ownNames } : whole;
  return { named: underOurNames(file, known), family: family! };
}

const wholeModels = ({ layouts }: AnyFamily): Record<string, Layout> =>
  Object.fromEntries(Object.entries(layouts).filter(([, { forStarting }]) => !forStarting));

/** The family that a config.json is of: FLAVA where it says nothing. */
export const familyOfConfig = (config: ConfigJson): AnyFamily =>
  (Object.values(families) as AnyFamily[]).find((family) => family.isConfig(config)) ?? (families.flava as AnyFamily);
