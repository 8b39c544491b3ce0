/** What recipes can name: families of models and kinds of stages. To add your own, pass other tables. */
import { ConfigError } from "../errors.ts";
import { families } from "../models/index.ts";
import type { Model, ModelFamily } from "../models/model.ts";
import type { TextTokenizer } from "../text/index.ts";
import type { Recipe } from "./recipe/types.ts";
import { planStage, stageKinds } from "./stages/kinds.ts";
import type { StageBase, StageKind, StagePlan } from "./stages/stage.ts";

/** What the names in a recipe refer to. */
export interface Tables {
  readonly families: Readonly<Record<string, ModelFamily<unknown>>>;
  readonly kinds: Readonly<Record<string, StageKind<StageBase>>>;
}

/** The package's own. */
export const tables: Tables = { families, kinds: { ...stageKinds } };

/** The family of the recipe's model. Throws ConfigError for an unknown name. */
export const familyOf = (given: Tables, { family }: Pick<Recipe, "family">): ModelFamily<unknown> =>
  row(given.families, family, "a family of models");

/** The model that a recipe trains, of the sizes that it says. */
export const modelOf = (given: Tables, recipe: Pick<Recipe, "family" | "model">): Model =>
  familyOf(given, recipe).of(recipe.model);

/** The recipe with the sizes of the vocabulary in use. */
export function withVocabulary(given: Tables, recipe: Recipe, { vocabSize, special }: TextTokenizer): Recipe {
  const model = familyOf(given, recipe).withVocabulary(recipe.model, {
    vocabSize,
    padTokenId: special.pad,
    endTokenId: special.sep,
  });
  return { ...recipe, model: model as Recipe["model"] };
}

/** The kind of a stage. Throws ConfigError for an unknown name. */
export const kindOf = (given: Tables, { kind }: Pick<StageBase, "kind">): StageKind<StageBase> =>
  row(given.kinds, kind, "a kind of stage");

/** What a stage trains on what. */
export const planOf = (given: Tables, recipe: Recipe, stage: StageBase): StagePlan =>
  planStage(kindOf(given, stage), recipe, stage);

function row<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found) return found;
  throw new ConfigError(`expected ${what}, got "${name}"`, `known are ${Object.keys(table).join(", ")}`);
}
