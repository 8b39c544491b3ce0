/** The task files of the package, and files of one's own. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ConfigError, NameError } from "../errors.ts";
import { isRecord, readJson } from "../io/index.ts";
import { nearest } from "../tensor/index.ts";
import { TASK_KEYS, type Task, taskSchema } from "./schema.ts";

const FOLDER = fileURLToPath(new URL("../../tasks/", import.meta.url));

/** Reads a task file. Throws FileError, DataError, and ConfigError that names the file and the key. */
export async function readTask(path: string): Promise<Task> {
  const value = await readJson(path);
  const parsed = taskSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const name = isRecord(value) && typeof value.name === "string" ? `task ${value.name}: ` : "";
  throw new ConfigError(`${name}${path}: expected a task file\n${parsed.error.issues.flatMap(describe).join("\n")}`);
}

/** Lines of a complaint; an unknown key is told with the nearest that there is. */
function describe(issue: z.core.$ZodIssue): string[] {
  const at = issue.path.length > 0 ? `\n  → at ${issue.path.join(".")}` : "";
  if (issue.code !== "unrecognized_keys") return [`✖ ${issue.message}${at}`];
  const known = TASK_KEYS[String(issue.path[0] ?? "")] ?? [];
  return issue.keys.map((key) => `✖ unknown key "${key}": ${nearest(key, known)}${at}`);
}

/** The paper's 35 tasks, in the order of its table. */
export const paperTasks = (): Promise<Task[]> => tasksIn(FOLDER);

/** Tasks of the starter data. */
export const starterTasks = (): Promise<Task[]> => tasksIn(join(FOLDER, "starter"));

async function tasksIn(folder: string): Promise<Task[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const tasks = await Promise.all(names.map((name) => readTask(join(folder, name))));
  return tasks.sort((a, b) => a.order - b.order);
}

/** Those of `tasks` that are named, in the order of the names. Throws NameError with the nearest names. */
export function pickTasks(tasks: readonly Task[], names: readonly string[]): Task[] {
  const known = tasks.map(({ name }) => name);
  return names.map((name) => {
    const task = tasks.find((one) => one.name === name);
    if (!task) throw new NameError(`task "${name}" does not exist`, nearest(name, known));
    return task;
  });
}

/** The columns of the paper's table 4, and the averages that it prints. */
export interface PublishedColumns {
  readonly columns: Readonly<Record<string, { readonly title: string; readonly data: string }>>;
  /** Per cent by "nlp", "vision", "multimodal", "macro", then by column. */
  readonly averages: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly source: string;
}

const columnsSchema: z.ZodType<PublishedColumns> = z.strictObject({
  columns: z.record(z.string(), z.strictObject({ title: z.string(), data: z.string() })),
  averages: z.record(z.string(), z.record(z.string(), z.number())),
  source: z.string(),
});

/** The paper's table 5: other systems, per cent by task; MRPC and QQP as accuracy and F1. */
export interface PublishedSystems {
  readonly systems: Readonly<Record<string, Readonly<Record<string, number | AccuracyAndF1>>>>;
  readonly source: string;
}

/** Per cent. */
export interface AccuracyAndF1 {
  readonly accuracy: number;
  readonly f1?: number | undefined;
}

const percent = z.number().min(0).max(100);
const systemsSchema: z.ZodType<PublishedSystems> = z.strictObject({
  systems: z.record(
    z.string(),
    z.record(z.string(), z.union([percent, z.strictObject({ accuracy: percent, f1: percent.optional() })])),
  ),
  source: z.string(),
});

/** Reads the columns of the paper's table 4. */
export const publishedColumns = async (): Promise<PublishedColumns> =>
  columnsSchema.parse(await readJson(join(FOLDER, "published", "columns.json")));

/** Reads the paper's table 5. */
export const publishedSystems = async (): Promise<PublishedSystems> =>
  systemsSchema.parse(await readJson(join(FOLDER, "published", "systems.json")));
