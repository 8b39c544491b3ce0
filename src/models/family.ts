/** The kinds of models, one row each. A new model is a folder beside this file and a row here. */
import { flavaFamily } from "./flava/family.ts";
import type { ModelFamily } from "./model.ts";

/** By the name that recipes call them. */
export const families: { readonly flava: typeof flavaFamily } = { flava: flavaFamily };

/** What a recipe can name as its family. */
export type FamilyName = keyof typeof families;

/** The configuration of any family's model. */
export type ModelConfig = {
  [F in FamilyName]: (typeof families)[F] extends ModelFamily<infer C> ? C : never;
}[FamilyName];
