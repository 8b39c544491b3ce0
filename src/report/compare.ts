/** Several runs beside each other: every result with its mean and deviation, and in what their recipes differ. */
import { basename, resolve } from "node:path";
import { DataError } from "../errors.ts";
import { isJsonObject, type Json } from "../io/index.ts";
import { differences, loadRunInfo, readRecipe } from "../record/index.ts";
import { short } from "./chart.ts";

/** One result across the runs that are compared. */
export interface ResultRow {
  readonly name: string;
  /** In the order of the runs; undefined where a run has no such result. */
  readonly values: readonly (number | undefined)[];
  readonly mean: number;
  /** Standard deviation as an estimate from the sample (n − 1); undefined for a single value. */
  readonly deviation: number | undefined;
}

/** Several runs side by side. */
export interface Comparison {
  /** Names of the folders. */
  readonly runs: readonly string[];
  readonly rows: readonly ResultRow[];
  /** Recipe keys, besides `name` and `runDir`, whose values are not the same in all runs: what each run has there. */
  readonly recipes: Readonly<Record<string, readonly (Json | undefined)[]>>;
}

/** Keys of a recipe that say nothing of how a model came about. */
const NAMES: ReadonlySet<string> = new Set(["name", "runDir"]);

/** Reads the folders of runs. Throws DataError where a folder is no run's or its run isn't done. */
export async function compareRuns(folders: readonly string[]): Promise<Comparison> {
  const infos = await Promise.all(folders.map(loadRunInfo));
  for (const [i, { status }] of infos.entries()) {
    if (status === "done") continue;
    throw new DataError(`${folders[i]}: expected a run that is done, got one that is ${status}`, "resume it first");
  }
  const recipes = await Promise.all(folders.map(readRecipe));
  const results = infos.map((info) => info.results);
  const names = [...new Set(results.flatMap(Object.keys))];
  const paths = new Set(recipes.flatMap((recipe) => differences(recipes[0], recipe).map(({ path }) => path)));
  const kept = [...paths].filter((path) => !NAMES.has(path));
  return {
    runs: folders.map((folder) => basename(resolve(folder))),
    rows: names.map((name) =>
      resultRow(
        name,
        results.map((result) => result[name]),
      ),
    ),
    recipes: Object.fromEntries(kept.map((path) => [path, recipes.map((recipe) => at(recipe, path))])),
  };
}

/** A row with the mean and the standard deviation of the values that are known. */
export function resultRow(name: string, values: readonly (number | undefined)[]): ResultRow {
  const known = values.filter((value) => value !== undefined);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { name, values, mean, deviation: known.length > 1 ? Math.sqrt(squares / (known.length - 1)) : undefined };
}

/** The comparison as a Markdown table, and below it the recipe keys that differ. */
export function comparisonTable({ runs, rows, recipes }: Comparison): string {
  const cells = rows.map(({ name, values, mean, deviation }) => [
    `\`${name}\``,
    ...values.map((value) => (value === undefined ? "–" : short(value))),
    deviation === undefined ? short(mean) : `${short(mean)} ± ${short(deviation)}`,
  ]);
  const keys = Object.entries(recipes).map(([path, values]) => `${path}: ${values.map(printed).join(", ")}`);
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  const head = ["result", ...runs, "mean ± deviation"];
  return [line(head), line(head.map(() => "---")), ...cells.map(line), ...(keys.length > 0 ? ["", ...keys] : [])].join(
    "\n",
  );
}

const printed = (value: Json | undefined): string => (value === undefined ? "–" : JSON.stringify(value));

const at = (recipe: Json, path: string): Json | undefined =>
  path.split(".").reduce<Json | undefined>((value, key) => (isJsonObject(value) ? value[key] : undefined), recipe);
