/** recipe.json: the resolved recipe of a run, as plain data. Which keys it has is the business of who trains by it. */
import { join } from "node:path";
import { ConfigError, DataError } from "../errors.ts";
import { isJsonObject, type JsonObject, namesIn, readJson, saveJson } from "../io/index.ts";
import { METRICS_FILE } from "./logs/metrics.ts";
import { RUN_FILE } from "./run-info.ts";

/** The complete recipe of a run, in its folder. */
export const RECIPE_FILE = "recipe.json";

/** Writes recipe.json, from which the run can be repeated. Throws FileError. */
export const saveRecipe = (runDir: string, recipe: object): Promise<void> =>
  saveJson(join(runDir, RECIPE_FILE), recipe);

/** Reads recipe.json. Throws FileError if it cannot be read, DataError if it is damaged. */
export async function readRecipe(runDir: string): Promise<JsonObject> {
  const path = join(runDir, RECIPE_FILE);
  const value = await readJson(path);
  if (isJsonObject(value)) return value;
  throw new DataError(`${path}: expected the recipe of a run, got ${JSON.stringify(value)}`);
}

/** Throws ConfigError if the folder holds a run already: a new one would write over it. */
export async function refuseOldRun(runDir: string): Promise<void> {
  const names = await namesIn(runDir);
  const old = names.find((name) => [RECIPE_FILE, RUN_FILE, METRICS_FILE].includes(name));
  if (old !== undefined)
    throw new ConfigError(
      `${runDir}: expected no run in this folder, got ${old}`,
      "go on with it by --resume latest, or choose another --run-dir",
    );
}
