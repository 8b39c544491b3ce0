/** Whether a checkpoint may go on under a recipe: which keys decide the numbers, and what differs, before any work. */
import { ConfigError } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../io/index.ts";
import { type CheckpointState, differences, hashOf, listDifferences } from "../../record/index.ts";

/** Keys of a recipe, and of each of its stages, that may change between a checkpoint and its resumption. */
const FREE = new Set(["name", "runDir", "device", "threads", "variant", "evaluation"]);
const FREE_IN_DATA = new Set(["workers", "prefetch", "pixelBytes"]);
const FREE_IN_STAGE = new Set(["every", "saveTotalLimit", "best", "recompute"]);

const without = (value: Json | undefined, keys: ReadonlySet<string>): Json | undefined =>
  isJsonObject(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => !keys.has(key))) : value;

/** The part of a resolved recipe that decides the numbers of a stage: later stages and where, how often, how fast left out. */
export function decisivePart(recipe: Json, stage: string): Json {
  if (!isJsonObject(recipe)) return recipe;
  const stages = Object.entries(isJsonObject(recipe.stages) ? recipe.stages : {});
  const upTo = stages.slice(0, stages.findIndex(([name]) => name === stage) + 1);
  return {
    ...(without(recipe, FREE) as JsonObject),
    data: without(recipe.data, FREE_IN_DATA),
    stages: Object.fromEntries(upTo.map(([name, fields]) => [name, without(fields, FREE_IN_STAGE)])),
  };
}

/** Identifies the decisive part of a recipe. */
export const recipeHash = (recipe: Json, stage: string): string => hashOf(decisivePart(recipe, stage));

/** Throws ConfigError that lists every difference in recipe or architecture as `path: was …, now …`. */
export function checkResumable(
  where: string,
  state: Pick<CheckpointState, "stage" | "recipe" | "architecture">,
  now: { readonly recipe: Json; readonly architecture: Json },
): void {
  const { stage } = state;
  const found = [
    ...differences(state.architecture, now.architecture, "architecture"),
    ...differences(decisivePart(state.recipe, stage), decisivePart(now.recipe, stage)),
  ];
  if (found.length === 0) return;
  throw new ConfigError(
    `${where}: expected the recipe that this checkpoint was saved with, got another\n${listDifferences(found)}`,
    "resume with the old values, or start a new run with another --run-dir",
  );
}
