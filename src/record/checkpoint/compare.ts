/** Whether a checkpoint may go on under a recipe: what differs, by path, before any work. */
import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "../../errors.ts";
import type { CheckpointState, Json } from "./format.ts";
import { hashOf } from "./format.ts";

export interface Difference {
  readonly path: string;
  readonly was: Json | undefined;
  readonly now: Json | undefined;
}

/** Where two pieces of plain data differ, at the smallest places. */
export function differences(was: Json | undefined, now: Json | undefined, path = ""): Difference[] {
  if (isDeepStrictEqual(was, now)) return [];
  if (!isObject(was) || !isObject(now)) return [{ path, was, now }];
  const keys = [...new Set([...Object.keys(was), ...Object.keys(now)])];
  return keys.flatMap((key) => differences(was[key], now[key], path === "" ? key : `${path}.${key}`));
}

type JsonObject = { readonly [key: string]: Json | undefined };

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keys of a recipe, and of each of its stages, that may change between a checkpoint and its resumption. */
const FREE = new Set(["name", "runDir", "device", "threads", "variant", "evaluation"]);
const FREE_IN_DATA = new Set(["workers", "prefetch", "pixelBytes"]);
const FREE_IN_STAGE = new Set(["every", "saveTotalLimit", "best", "recompute"]);

const without = (value: Json | undefined, keys: ReadonlySet<string>): Json | undefined =>
  isObject(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => !keys.has(key))) : value;

/** The part of a resolved recipe that decides the numbers of a stage: later stages and where, how often, how fast left out. */
export function decisivePart(recipe: Json, stage: string): Json {
  if (!isObject(recipe)) return recipe;
  const stages = Object.entries(isObject(recipe.stages) ? recipe.stages : {});
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
  const lines = found.slice(0, 20).map(({ path, was, now }) => `✖ ${path}: was ${show(was)}, now ${show(now)}`);
  if (found.length > 20) lines.push(`  and ${found.length - 20} more`);
  throw new ConfigError(
    `${where}: expected the recipe that this checkpoint was saved with, got another\n${lines.join("\n")}`,
    "resume with the old values, or start a new run with another --run-dir",
  );
}

const show = (value: Json | undefined): string => (value === undefined ? "absent" : JSON.stringify(value));
