/** What an ablation's file says: columns that are recipes, one budget for all, seeds, and the tasks that they are measured on. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { ConfigError, NameError } from "../errors.ts";
import { statOf, systemReason } from "../io/index.ts";
import { describeIssues, parseYaml } from "../pretrain/recipe/index.ts";
import { figureKey, paperTasks, pickTasks, readTask, starterTasks, type Task } from "../tasks/index.ts";
import { nearest } from "../tensor/index.ts";

/** A column as a point of a curve: "ViT" at 3,280 pairs. */
export interface CurvePoint {
  readonly line: string;
  readonly at: number;
}

/** Figures that are drawn over columns. */
export interface Curves {
  /** What `at` counts. */
  readonly by: string;
  /** task/metric. */
  readonly figures: readonly string[];
}

/** A column of the table. */
export interface ColumnChoice {
  /** Its number in the paper's table. */
  readonly number: number;
  readonly title: string;
  /** Path of its recipe. */
  readonly recipe: string;
  /** Changes to it, as for `--set`. */
  readonly set?: readonly string[] | undefined;
  /** Where it stands on a curve. */
  readonly point?: CurvePoint | undefined;
}

/** An ablation, checked, its paths as they are from here. */
export interface AblationFile {
  readonly path: string;
  readonly name: string;
  /** Samples of the stage that is compared, the last of each recipe. */
  readonly samples: number;
  readonly seeds: readonly number[];
  /** Path of the recipe whose vocabulary all columns have, and whose stages are trained once a seed for those that have the same. */
  readonly base: string;
  /** By key, in the order of the table. */
  readonly columns: Readonly<Record<string, ColumnChoice>>;
  readonly tasks: readonly Task[];
  /** Two columns: the chart of the first less the second. */
  readonly difference: readonly [string, string] | undefined;
  readonly curves: Curves | undefined;
}

const text = z.string().min(1);
const whole = z.int().positive();

const schema = z
  .strictObject({
    name: z.string().regex(/^[\w.-]+$/, "expected letters, digits, . _ -"),
    samples: whole.describe("Samples that the last stage of every column sees."),
    seeds: z.array(z.int().nonnegative()).min(1),
    base: text.describe(
      "A recipe: its vocabulary is that of all columns; stages that a column shares with it are trained once a seed.",
    ),
    columns: z
      .record(
        z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "expected small letters, digits, -"),
        z.strictObject({
          number: whole,
          title: text,
          recipe: text,
          set: z.array(text).optional().describe("Changes to the recipe, as for --set."),
          point: z.strictObject({ line: text, at: z.number().positive() }).optional(),
        }),
      )
      .refine((columns) => Object.keys(columns).length > 0, "expected a column"),
    tasks: z.array(text).min(1).describe("Names of tasks, or task files."),
    difference: z.tuple([text, text]).optional().describe("Columns a, b: the chart of a less b."),
    curves: z
      .strictObject({ by: text, figures: z.array(text).min(1).describe("task/metric") })
      .optional()
      .describe("Charts over the columns that are points of lines."),
  })
  .superRefine(({ seeds, columns, difference = [], tasks, curves }, context) => {
    const report = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
    if (new Set(seeds).size < seeds.length) report(["seeds"], "expected different numbers");
    if (new Set(tasks).size < tasks.length) report(["tasks"], "expected different tasks");
    const numbers = Object.values(columns).map(({ number }) => number);
    if (new Set(numbers).size < numbers.length) report(["columns"], "expected different numbers");
    if (columns.shared)
      report(["columns", "shared"], "the folder of shared stages is called so: expected another name");
    if (curves && !Object.values(columns).some(({ point }) => point))
      report(["curves"], "no column is a point of a line: expected some with point: { line, at }");
    for (const key of difference)
      if (!Object.hasOwn(columns, key))
        report(["difference"], `"${key}" is no column: ${nearest(key, Object.keys(columns))}`);
  });

/** Reads the file and its tasks. Throws ConfigError that lists every problem, NameError for a task that does not exist. */
export async function readAblation(path: string): Promise<AblationFile> {
  const raw = parseYaml(
    await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      throw new ConfigError(
        `${path}: expected an ablation's file, got ${systemReason(cause)}`,
        "recipes/ablation-starter.yaml of the package is one",
        { cause },
      );
    }),
    path,
  );
  const parsed = schema.safeParse(raw);
  if (!parsed.success)
    throw new ConfigError(`${path}: this ablation cannot run\n${describeIssues(schema, raw, parsed.error.issues)}`);
  const { columns, difference, curves, ...same } = parsed.data;
  const from = (place: string): string => resolve(dirname(path), place);
  const placed = Object.fromEntries(
    Object.entries(columns).map(([key, column]) => [key, { ...column, recipe: from(column.recipe) }]),
  );
  await checkRecipes(path, [
    ["base", from(same.base)],
    ...Object.entries(placed).map(([key, { recipe }]) => [`columns.${key}`, recipe] as const),
  ]);
  const tasks = await tasksOf(path, same.tasks, from);
  return {
    path,
    ...same,
    base: from(same.base),
    columns: placed,
    tasks,
    difference,
    curves: curves && knownFigures(path, curves, tasks),
  };
}

/** Throws ConfigError for a figure that no task has. */
function knownFigures(path: string, curves: Curves, tasks: readonly Task[]): Curves {
  const known = tasks.flatMap((task) => task.figures.map((figure) => figureKey(task, figure)));
  const unknown = curves.figures.find((figure) => !known.includes(figure));
  if (unknown === undefined) return curves;
  throw new ConfigError(`${path}: curves: expected a figure of its tasks, got "${unknown}"`, nearest(unknown, known));
}

async function checkRecipes(path: string, recipes: readonly (readonly [at: string, recipe: string])[]): Promise<void> {
  const missing: string[] = [];
  for (const [at, recipe] of recipes)
    if (!(await statOf(recipe))?.isFile()) missing.push(`✖ ${recipe}: there is no such file → at ${at}`);
  if (missing.length > 0)
    throw new ConfigError(
      `${path}: expected recipes, got none\n${missing.join("\n")}`,
      "paths are looked for from the file's folder",
    );
}

async function tasksOf(path: string, names: readonly string[], from: (place: string) => string): Promise<Task[]> {
  const known = [...(await starterTasks()), ...(await paperTasks())];
  try {
    return await Promise.all(
      names.map((name) => (name.endsWith(".json") ? readTask(from(name)) : pickTasks(known, [name])[0]!)),
    );
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    throw new NameError(`${path}: ${error.message.split("\n")[0]}`, error.help);
  }
}

/** The columns that `--only` names, by number or key, in the order of the table. Throws ConfigError for one that is not there. */
export function pickColumns({ columns, path }: AblationFile, only: readonly string[] | undefined): string[] {
  const keys = Object.keys(columns);
  if (!only) return keys;
  const wanted = only.map((name) => {
    const found = keys.find((key) => key === name || String(columns[key]!.number) === name);
    if (found !== undefined) return found;
    const known = keys.map((key) => `${columns[key]!.number} (${key})`).join(", ");
    throw new ConfigError(`--only ${name}: expected a column of ${path}, got "${name}"`, `it has ${known}`);
  });
  return keys.filter((key) => wanted.includes(key));
}
