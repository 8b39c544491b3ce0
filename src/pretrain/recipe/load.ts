/** From a YAML file to a checked recipe: `extends`, `--set`, the model variant, defaults, checks. */

import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type Document, parseDocument } from "yaml";
import { ConfigError } from "../../errors.ts";
import { isRecord, systemReason } from "../../io/index.ts";
import { RECIPE_FILE, readRecipe } from "../../record/index.ts";
import { bfloat16Devices } from "../../runtime/index.ts";
import { tables as own, type Tables } from "../tables.ts";
import { withDefaults } from "./defaults.ts";
import { describeIssues } from "./issues.ts";
import { merge } from "./merge.ts";
import { recipeSchemas } from "./schema.ts";
import { applySet, type Override } from "./set.ts";
import { tinyRecipe } from "./tiny.ts";
import type { Recipe } from "./types.ts";

type Raw = Record<string, unknown>;

/** What is applied on top of a recipe file. */
export interface ResolveOptions {
  /** Assignments such as `stages.joint.steps=100`, in order. */
  readonly set?: readonly string[] | undefined;
  /** Shrinks the recipe to a small model, few steps and synthetic data, before the assignments. */
  readonly tiny?: boolean | undefined;
  /** What the recipe can name; the package's own unless given. */
  readonly tables?: Tables | undefined;
}

/** A recipe, ready to run, and how it was changed. */
export interface Resolved {
  readonly recipe: Recipe;
  /** What `set` changed: to be printed. */
  readonly overrides: readonly Override[];
}

/** Reads, changes and checks a recipe file. Throws ConfigError that lists every problem. */
export async function resolveRecipe(path: string, options: ResolveOptions = {}): Promise<Resolved> {
  const { set = [], tiny = false, tables = own } = options;
  const read = await readFileChain(path);
  if (basename(path) === RECIPE_FILE) parseRunRecipe(read, path, tables);
  const raw: Raw = tiny ? { ...tinyRecipe(tables, parseRecipe(read, path, tables)) } : read;
  const schema = recipeSchemas(tables, raw.family ?? "flava").file;
  const overrides = set.map((assignment) => applySet(schema, raw, assignment));
  return { recipe: parseRecipe(raw, path, tables), overrides };
}

/** Checks plain data, for instance a run's recipe.json: a recipe that is complete comes back as it is. Throws ConfigError. */
export function parseRecipe(raw: unknown, where = "recipe", tables: Tables = own): Recipe {
  if (!isRecord(raw)) throw new ConfigError(`${where}: expected keys and values, got ${JSON.stringify(raw)}`);
  refuseOdd(raw, where);
  const whole = withDefaults(withoutNulls(raw), tables);
  const schemas = recipeSchemas(tables, whole.family ?? "flava");
  const parsed = schemas.recipe.safeParse(whole);
  if (parsed.success) return checkPrecision(parsed.data, where);
  const problems = describeIssues(schemas.file, whole, parsed.error.issues);
  throw new ConfigError(`${where}: this recipe cannot run\n${problems}`, undefined, { cause: parsed.error });
}

/** Throws ConfigError before anything is read, where the device would refuse the steps after minutes. */
function checkPrecision(recipe: Recipe, where: string): Recipe {
  const { device, dtype } = recipe;
  if (dtype === "fp32" || bfloat16Devices.includes(device)) return recipe;
  throw new ConfigError(
    `${where}: dtype: expected fp32 on the device ${device}, which multiplies float32, got ${dtype}`,
    `train in bfloat16 on one of ${bfloat16Devices.join(", ")}`,
  );
}

/** The recipe of a run's folder. Throws FileError or DataError if recipe.json is missing or damaged, ConfigError if it is no recipe of this version. */
export async function loadRecipe(runDir: string, tables: Tables = own): Promise<Recipe> {
  const raw = await readRecipe(runDir);
  return parseRunRecipe(raw, join(runDir, RECIPE_FILE), tables);
}

/** What a run wrote is whole: where it is no recipe, another version wrote it. */
function parseRunRecipe(raw: unknown, path: string, tables: Tables): Recipe {
  try {
    return parseRecipe(raw, path, tables);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.message,
      "a run of another version of flava goes on with that version (run.json names it); or start a new one with another --run-dir",
      { cause: error },
    );
  }
}

/** The file's data with that of the recipe it extends below it. Its name is the file's unless it says one. */
async function readFileChain(path: string, from: readonly string[] = []): Promise<Raw> {
  const full = resolve(path);
  if (from.includes(full))
    throw new ConfigError(`${path}: expected an end of extends, got a circle: ${[...from, full].join(" → ")}`);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `${path}: expected a recipe file, got ${systemReason(cause)}`,
      "recipes/starter.yaml of the package is one",
      {
        cause,
      },
    );
  });
  const { extends: base, ...own } = parseYaml(text, path);
  const named: Raw = { name: basename(path).replace(/\.ya?ml$/, ""), ...own };
  if (base === undefined) return named;
  if (typeof base !== "string") throw new ConfigError(`${path}: extends: expected a path, got ${JSON.stringify(base)}`);
  const below = await readFileChain(resolve(dirname(path), base), [...from, full]);
  return merge(forFamily(below, named.family), named);
}

/** Of a recipe that trains another family of models, data, vocabulary and evaluation are taken over, but not the model and its stages. */
function forFamily({ model, stages, ...rest }: Raw, family: unknown): Raw {
  const own = family === undefined || family === (rest.family ?? "flava");
  return own ? { ...rest, ...(model !== undefined && { model }), ...(stages !== undefined && { stages }) } : rest;
}

/** A file's keys and values. Throws ConfigError. */
export function parseYaml(text: string, path: string): Raw {
  const document = parseDocument(text, { uniqueKeys: true });
  const [error] = document.errors;
  if (error) throw new ConfigError(`${path}: expected YAML, got ${error.message.trim()}`, undefined, { cause: error });
  const value = plainData(document, path);
  if (!isRecord(value)) throw new ConfigError(`${path}: expected keys and values, got ${JSON.stringify(value)}`);
  refuseOdd(value, path);
  return value;
}

/** The document as plain data. Aliases of aliases could make a few lines into gigabytes, so their number is bounded. */
function plainData(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    const help = "write the repeated part out, or use `extends`";
    throw new ConfigError(`${path}: expected YAML, got ${(cause as Error).message}`, help, { cause });
  }
}

/** Refuses `__proto__`, which is lost where keys are copied, and a value that an alias puts into itself. */
function refuseOdd(value: unknown, where: string, within: readonly unknown[] = []): void {
  if (typeof value !== "object" || value === null) return;
  if (within.includes(value)) throw new ConfigError(`${where}: expected an end, got a value that contains itself`);
  if (Object.hasOwn(value, "__proto__"))
    throw new ConfigError(`${where}: expected another key than "__proto__"`, "choose another name");
  for (const part of Object.values(value)) refuseOdd(part, where, [...within, value]);
}

/**
 * A stage, a test set or a validation set that is null was taken away by an extending recipe or by `--set stages.NAME=null`.
 */
function withoutNulls(raw: Raw): Raw {
  const kept = (of: Raw, names: readonly string[]): Raw =>
    Object.fromEntries(
      Object.entries(of).map(([name, value]) => [
        name,
        names.includes(name) && isRecord(value)
          ? Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null))
          : value,
      ]),
    );
  const { evaluation } = raw;
  const sets = isRecord(evaluation) ? { evaluation: kept(evaluation, ["validation", "test"]) } : {};
  return { ...kept(raw, ["stages"]), ...sets };
}
