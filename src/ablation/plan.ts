/** From an ablation's file to its runs: stages that columns share, trained once a seed, and then the stage of each column that is compared. */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "../errors.ts";
import { parseRecipe, type Recipe, resolveRecipe, type Stage } from "../pretrain/recipe/index.ts";
import { measureStage } from "../pretrain/run/measure.ts";
import { kindOf, tables as own, type Tables } from "../pretrain/tables.ts";
import { type AblationFile, type ColumnChoice, pickColumns } from "./file.ts";

/** What of an ablation is planned, and where it goes. */
export interface PlanRequest {
  readonly file: AblationFile;
  /** Its folder. */
  readonly out: string;
  /** Columns by number or key; all unless given. */
  readonly only?: readonly string[] | undefined;
  /** Those of the file unless given. */
  readonly seeds?: readonly number[] | undefined;
  /** Assignments to every recipe, as for `--set`. */
  readonly set?: readonly string[] | undefined;
  readonly tables?: Tables | undefined;
}

/** One training: a stage that columns share, or a column. */
export interface PlannedRun {
  /** "flava-c, seed 0" */
  readonly title: string;
  readonly seed: number;
  /** Key of its column; none for a shared stage. */
  readonly column?: string | undefined;
  /** Shared stages stand in `init` by the folder of their checkpoints: which one is taken is known when they are trained. */
  readonly recipe: Recipe;
}

/** A column as its recipe has it, before stages are shared. */
export interface PlannedColumn extends ColumnChoice {
  readonly key: string;
  /** With the budget's number of steps. */
  readonly recipe: string;
  readonly resolved: Recipe;
  /** Its last stage. */
  readonly compared: string;
  /** Its earlier stages that are the base's. */
  readonly shared: readonly string[];
}

/** All runs in their order. */
export interface AblationPlan {
  readonly file: AblationFile;
  readonly out: string;
  readonly base: Recipe;
  readonly columns: readonly PlannedColumn[];
  readonly runs: readonly PlannedRun[];
  readonly tables: Tables;
}

/** The tokenizer of all columns, in the ablation's folder. */
export const TOKENIZER = "tokenizer.json";

/** Resolves the recipes. Throws ConfigError. */
export async function planAblation(request: PlanRequest): Promise<AblationPlan> {
  const { file, out, set = [], tables = own } = request;
  const { recipe: base } = await resolveRecipe(file.base, { set, tables });
  const columns: PlannedColumn[] = [];
  for (const key of pickColumns(file, request.only)) {
    const column = file.columns[key]!;
    const { recipe } = await resolveRecipe(column.recipe, { set: [...(column.set ?? []), ...set], tables });
    columns.push({ ...column, key, ...(await budgeted(recipe, base, { key, samples: file.samples, tables })) });
  }
  const place = { file, out, base, tables };
  const runs = (request.seeds ?? file.seeds).flatMap((seed) => [
    ...sharedStages(base, columns).map((name) => sharedRun(place, name, seed)),
    ...columns.map((column) => columnRun(place, column, seed)),
  ]);
  return { ...place, columns, runs };
}

interface Budget {
  readonly key: string;
  readonly samples: number;
  readonly tables: Tables;
}

/** The recipe with as many steps of its last stage as the budget has samples for, and which of its other stages are the base's. */
async function budgeted(
  recipe: Recipe,
  base: Recipe,
  { key, samples, tables }: Budget,
): Promise<Pick<PlannedColumn, "resolved" | "compared" | "shared">> {
  const names = Object.keys(recipe.stages);
  const compared = names.at(-1)!;
  const stage = recipe.stages[compared]!;
  const steps = Math.max(1, Math.round(samples / samplesOfStep(stage, tables)));
  if (stage.schedule.warmupSteps >= steps)
    throw new ConfigError(
      `columns.${key}: ${samples} samples are ${steps} steps of ${compared}, and its warm-up alone takes ${stage.schedule.warmupSteps}`,
      "raise samples",
    );
  const cut = { ...stage, steps, every: { ...stage.every, save: Math.min(stage.every.save, steps) } };
  return {
    resolved: { ...recipe, stages: { ...recipe.stages, [compared]: cut } },
    compared,
    shared: await sharedWith(base, recipe, names.slice(0, -1), tables),
  };
}

/** A mean: a step reads one kind of data. */
function samplesOfStep(stage: Stage, tables: Tables): number {
  const steps = 1_000_000;
  const read = kindOf(tables, stage).reads({ ...stage, steps });
  return Object.values(read).reduce((sum, n) => sum + n, 0) / steps;
}

/** Stages that are the base's, on the same parts of the model, and start from nothing but such. */
async function sharedWith(base: Recipe, recipe: Recipe, names: readonly string[], tables: Tables): Promise<string[]> {
  if (base.family !== recipe.family) return [];
  const other = differingParts(base.model, recipe.model);
  if (other === undefined) return [];
  const shared: string[] = [];
  for (const name of names) {
    if (!isDeepStrictEqual(base.stages[name], recipe.stages[name])) continue;
    if (!earlier(recipe, name).every((from) => shared.includes(from))) continue;
    const { parameters } = other.length > 0 ? await measureStage(recipe, name, tables) : { parameters: {} };
    if (!other.some((part) => Object.keys(parameters).some((scope) => scope.includes(part)))) shared.push(name);
  }
  return shared;
}

/** The parts in which two models of a family differ: "multimodal"; undefined where they differ in more than parts. */
function differingParts(one: Recipe["model"], other: Recipe["model"]): string[] | undefined {
  const [a, b] = [one, other] as unknown as Readonly<Record<string, unknown>>[];
  const keys = [...new Set([...Object.keys(a!), ...Object.keys(b!)])].filter(
    (key) => !isDeepStrictEqual(a![key], b![key]),
  );
  const isPart = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
  return keys.every((key) => isPart(a![key]) && isPart(b![key])) ? keys : undefined;
}

/** The stages that a stage starts from. */
const earlier = ({ stages }: Recipe, name: string): string[] =>
  Object.values(stages[name]!.init).filter((from) => typeof from === "string" && from !== "random") as string[];

/** Those of all columns, in the order of the base. */
function sharedStages(base: Recipe, columns: readonly PlannedColumn[]): string[] {
  const all = new Set(columns.flatMap(({ shared }) => shared));
  return Object.keys(base.stages).filter((name) => all.has(name));
}

type Placed = Pick<AblationPlan, "file" | "out" | "base" | "tables">;

/** Where the checkpoints of a shared stage lie. */
const sharedFolder = (out: string, name: string, seed: number): string =>
  join(out, "shared", name, `seed-${seed}`, name);

function sharedRun({ file, out, base, tables }: Placed, name: string, seed: number): PlannedRun {
  const stages = { [name]: started(base.stages[name]!, Object.keys(base.stages), out, seed) };
  const recipe = placed({ ...base, name: `${file.name}-${name}`, stages }, out, { seed, folder: join("shared", name) });
  return { title: `${name} of several columns, seed ${seed}`, seed, recipe: parseRecipe(recipe, file.path, tables) };
}

function columnRun({ file, out, base, tables }: Placed, column: PlannedColumn, seed: number): PlannedRun {
  const { key, resolved, shared } = column;
  const left = Object.entries(resolved.stages).filter(([name]) => !shared.includes(name));
  const stages = Object.fromEntries(left.map(([name, stage]) => [name, started(stage, shared, out, seed)]));
  const named = { ...resolved, name: `${file.name}-${key}`, vocabulary: base.vocabulary, stages };
  const recipe = placed(named, out, { seed, folder: key });
  return { title: `${key}, seed ${seed}`, seed, column: key, recipe: parseRecipe(recipe, file.path, tables) };
}

/** A stage that starts from shared ones in their folders. No checkpoint is chosen by held-out data. */
function started(stage: Stage, shared: readonly string[], out: string, seed: number): Stage {
  const init = Object.entries(stage.init).map(([part, from]) => [
    part,
    typeof from === "string" && shared.includes(from) ? { path: sharedFolder(out, from, seed) } : from,
  ]);
  return { ...stage, init: Object.fromEntries(init), best: null } as Stage;
}

/** What is measured is measured afterwards, on tasks; words are the same in all runs. */
function placed(
  recipe: Recipe,
  out: string,
  { seed, folder }: { readonly seed: number; readonly folder: string },
): Recipe {
  const { vocabulary } = recipe;
  return {
    ...recipe,
    seed,
    runDir: join(out, folder, `seed-${seed}`),
    vocabulary:
      vocabulary.kind === "reduced" ? { ...vocabulary, kind: "file", path: join(out, TOKENIZER) } : vocabulary,
    evaluation: { ...recipe.evaluation, validation: {}, test: {}, texts: [], labelled: null },
  };
}
