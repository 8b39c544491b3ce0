/** ablation.json: what an ablation's folder was made by, and what its table is made of. */
import { join } from "node:path";
import { z } from "zod";
import { ConfigError, DataError } from "../errors.ts";
import { type Json, lockFile, makeFolder, readJson, saveJson, statOf } from "../io/index.ts";
import { differences, listDifferences } from "../record/index.ts";
import { type Task, taskSchema } from "../tasks/index.ts";
import type { ColumnTraining } from "./describe.ts";
import { gapsOf, trainingText } from "./describe.ts";
import type { CurvePoint, Curves } from "./file.ts";
import type { AblationPlan } from "./plan.ts";

/** In the ablation's folder. */
export const ABLATION_FILE = "ablation.json";

/** What it says. */
export interface AblationRecord {
  readonly name: string;
  readonly samples: number;
  /** In the order of the table. */
  readonly columns: readonly RecordedColumn[];
  readonly tasks: readonly Task[];
  readonly difference?: readonly [string, string] | undefined;
  readonly curves?: Curves | undefined;
  /** What decides the numbers: data, vocabulary and stages of the base, and each column's recipe. */
  readonly base: Json;
  readonly recipes: Readonly<Record<string, Json>>;
}

/** A column, and a sentence on what it trains. */
export interface RecordedColumn {
  readonly key: string;
  readonly title: string;
  readonly about: string;
  /** Why tasks have no figure of it, a sentence a reason. */
  readonly gaps: readonly string[];
  readonly point?: CurvePoint | undefined;
}

const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;

const schema: z.ZodType<AblationRecord> = z.object({
  name: z.string(),
  samples: z.number(),
  columns: z.array(
    z.object({
      key: z.string(),
      title: z.string(),
      about: z.string(),
      gaps: z.array(z.string()).default([]),
      point: z.object({ line: z.string(), at: z.number() }).optional(),
    }),
  ),
  tasks: z.array(taskSchema),
  difference: z.tuple([z.string(), z.string()]).optional(),
  curves: z.object({ by: z.string(), figures: z.array(z.string()) }).optional(),
  base: json,
  recipes: z.record(z.string(), json),
});

/** Reads it where it is there. Throws DataError for one that is damaged. */
export async function findAblation(out: string): Promise<AblationRecord | undefined> {
  const path = join(out, ABLATION_FILE);
  if (!(await statOf(path))) return undefined;
  const parsed = schema.safeParse(await readJson(path));
  if (parsed.success) return parsed.data;
  throw new DataError(`${path}: expected what flava ablate writes\n${z.prettifyError(parsed.error)}`);
}

/**
 * Writes what is planned over what was there: columns of before stay. Throws ConfigError where the budget, the base or a column's recipe is
 * another than the folder's.
 */
export async function recordAblation(
  plan: AblationPlan,
  trainings: readonly ColumnTraining[],
): Promise<AblationRecord> {
  const { file, out } = plan;
  await makeFolder(out);
  await using _lock = await lockFile(join(out, `${ABLATION_FILE}.lock`), { wait: true });
  const before = await findAblation(out);
  const now = recordOf(plan, trainings);
  if (before) checkSame(join(out, ABLATION_FILE), before, now);
  const columns = new Map([...(before?.columns ?? []), ...now.columns].map((column) => [column.key, column]));
  const order = Object.keys(file.columns);
  const record = {
    ...now,
    columns: order.flatMap((key) => columns.get(key) ?? []),
    recipes: { ...before?.recipes, ...now.recipes },
  };
  await saveJson(join(out, ABLATION_FILE), record);
  return record;
}

/** Keys of a recipe that decide no number. */
const FREE = ["name", "runDir", "seed", "device", "threads", "variant", "evaluation", "mayChange"];

const decisive = (recipe: object): Json =>
  JSON.parse(JSON.stringify({ ...recipe, ...Object.fromEntries(FREE.map((key) => [key, undefined])) })) as Json;

function recordOf({ file, base, columns }: AblationPlan, trainings: readonly ColumnTraining[]): AblationRecord {
  const { name, samples, tasks, difference, curves } = file;
  return {
    ...{ name, samples, tasks },
    ...(difference && { difference }),
    ...(curves && { curves }),
    columns: trainings.map((training) => ({
      key: training.key,
      title: `${training.number} ${training.title}`,
      about: trainingText(training),
      gaps: gapsOf(training, tasks),
      ...(file.columns[training.key]!.point && { point: file.columns[training.key]!.point }),
    })),
    base: decisive({ data: base.data, vocabulary: base.vocabulary, model: base.model, stages: base.stages }),
    recipes: Object.fromEntries(columns.map(({ key, resolved }) => [key, decisive(resolved)])),
  };
}

function checkSame(path: string, was: AblationRecord, now: AblationRecord): void {
  const found = [
    ...differences(was.samples, now.samples, "samples"),
    ...differences(was.base, now.base, "base"),
    ...Object.entries(now.recipes).flatMap(([key, recipe]) =>
      was.recipes[key] === undefined ? [] : differences(was.recipes[key], recipe, `columns.${key}`),
    ),
  ];
  if (found.length === 0) return;
  throw new ConfigError(
    `${path}: expected the ablation that this folder was made with, got another\n${listDifferences(found)}`,
    "go on with the old values, or start anew with another --out",
  );
}
