/** Whether a run may go on under a recipe: which keys decide the numbers, which of them the recipe lets change, and what differs. */
import { ConfigError } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../io/index.ts";
import { type CheckpointState, type Difference, differences, hashOf, listDifferences } from "../../record/index.ts";
import { NEVER } from "../recipe/checks.ts";

/** Keys of a recipe, and of each of its stages, that may change between two parts of a run: they decide no number of training. */
const FREE = new Set(["name", "runDir", "device", "threads", "variant", "evaluation", "mayChange"]);
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

/** Whether one of the keys is this one or holds it; `*` in a key stands for any name. */
export const covers = (keys: readonly string[], path: string): boolean =>
  keys.some((key) => {
    const names = path.split(".");
    return key.split(".").every((part, i) => part === names[i] || (part === "*" && i < names.length));
  });

/**
 * Throws ConfigError that lists every difference in recipe or architecture as `path: was …, now …`, those left out that the recipe of
 * now lets change (`mayChange`).
 */
export function checkResumable(
  where: string,
  was: Pick<CheckpointState, "stage" | "recipe" | "architecture">,
  now: { readonly recipe: Json; readonly architecture: Json; readonly mayChange: readonly string[] },
): void {
  const parts = [was.recipe, now.recipe].map((recipe) => decisivePart(recipe, was.stage));
  const found = [
    ...differences(was.architecture, now.architecture, "architecture"),
    ...differences(parts[0], parts[1]).filter(({ path }) => !covers(now.mayChange, path)),
  ];
  if (found.length === 0) return;
  throw new ConfigError(
    `${where}: expected the recipe that this was made with, got another\n${listDifferences(found)}`,
    `resume with the old values, or start a new run with another --run-dir${howToAllow(found)}`,
  );
}

/** Nothing where something differs that can never change: its weights or draws would be another run's. */
function howToAllow(found: readonly Difference[]): string {
  const paths = found.map(({ path }) => path);
  return paths.some((path) => NEVER.test(path))
    ? ""
    : `; to go on all the same: --set 'mayChange=[${paths.join(", ")}]'`;
}
