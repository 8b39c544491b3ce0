/** What a run folder says about its run beside the metrics: recipe.json (the resolved recipe) and run.json (this). */
import { readdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { ConfigError, DataError } from "../errors.ts";
import { saveFile } from "../io/index.ts";
import { parseRecipe, type Recipe } from "../pretrain/recipe/index.ts";

export const RECIPE_FILE = "recipe.json";
export const RUN_FILE = "run.json";

/** What the numbers of a run depend on besides its recipe. */
export interface Environment {
  readonly flava: string;
  /** Of a checkout; absent in an installed package. */
  readonly commit?: string | undefined;
  readonly node: string;
  /** Engine and version, as its device describes itself. */
  readonly engine: string;
  readonly cpu: string;
  readonly processors: number;
  readonly threads: number;
  readonly platform: string;
}

export interface StageInfo {
  readonly kind: string;
  readonly steps: number;
  /** The last step that is done. */
  readonly done: number;
  /** Seconds spent, resumptions added up. */
  readonly seconds: number;
  readonly samples: number;
  /** Seconds by what they went to: data, engine, evaluation, saving. */
  readonly times?: Readonly<Record<string, number>> | undefined;
  /** What a guess scores, by the name of the metric. */
  readonly chance: Readonly<Record<string, number>>;
  /** Trained parameters. */
  readonly parameters?: number | undefined;
}

export interface RunInfo {
  readonly name: string;
  readonly status: "running" | "done" | "stopped" | "failed";
  /** ISO 8601. */
  readonly startedAt: string;
  readonly finishedAt?: string | undefined;
  /** What was typed, or what would do the same. */
  readonly command: string;
  readonly environment: Environment;
  /** Hash of the tokenizer that its weights are for. */
  readonly tokenizer?: string | undefined;
  readonly stages: Readonly<Record<string, StageInfo>>;
  /** The final numbers, in the order in which they are printed. A name with `_over_chance` at its end is a multiple of chance. */
  readonly results: Readonly<Record<string, number>>;
  readonly peakMemoryBytes?: number | undefined;
}

const numbers = z.record(z.string(), z.number());
const count = z.number().nonnegative();

const stageInfo = z.object({
  kind: z.string(),
  steps: count,
  done: count,
  seconds: count,
  samples: count,
  times: numbers.optional(),
  chance: numbers,
  parameters: count.optional(),
});

export const runInfoSchema: z.ZodType<RunInfo> = z.object({
  name: z.string(),
  status: z.enum(["running", "done", "stopped", "failed"]),
  startedAt: z.string(),
  finishedAt: z.string().optional(),
  command: z.string(),
  environment: z.object({
    flava: z.string(),
    commit: z.string().optional(),
    node: z.string(),
    engine: z.string(),
    cpu: z.string(),
    processors: count,
    threads: count,
    platform: z.string(),
  }),
  tokenizer: z.string().optional(),
  stages: z.record(z.string(), stageInfo),
  results: numbers,
  peakMemoryBytes: count.optional(),
});

/** This machine, Node and package. */
export async function environment(engine: string, threads: number): Promise<Environment> {
  const own = createRequire(import.meta.url).resolve("flava/package.json"); // wherever in the package this was compiled to
  const { version } = JSON.parse(await readFile(own, "utf8")) as { version: string };
  const commit = await commitOf(dirname(own));
  return {
    flava: version,
    ...(commit ? { commit } : {}),
    node: process.versions.node,
    engine,
    cpu: cpus()[0]?.model.trim() || "unknown",
    processors: availableParallelism(),
    threads: threads || availableParallelism(),
    platform: `${platform()} ${arch()}`,
  };
}

/** The commit that a checkout is at, read without git. */
async function commitOf(root: string): Promise<string | undefined> {
  const read = (name: string): Promise<string> => readFile(join(root, ".git", name), "utf8").catch(() => "");
  const head = (await read("HEAD")).trim();
  const ref = /^ref: (.+)$/.exec(head)?.[1];
  if (!ref) return /^[0-9a-f]{40}$/.exec(head)?.[0];
  const loose = (await read(ref)).trim();
  if (loose) return loose;
  const packed = (await read("packed-refs")).split("\n").find((line) => line.endsWith(` ${ref}`));
  return packed?.split(" ")[0];
}

/** Writes run.json, whole or not at all. */
export async function saveRunInfo(runDir: string, info: RunInfo): Promise<void> {
  await saveFile(join(runDir, RUN_FILE), `${JSON.stringify(info, null, 2)}\n`);
}

/** Writes recipe.json, from which the run can be repeated. */
export async function saveRecipe(runDir: string, recipe: Recipe): Promise<void> {
  await saveFile(join(runDir, RECIPE_FILE), `${JSON.stringify(recipe, null, 2)}\n`);
}

/** Throws ConfigError if the folder holds a run already: a new one would write over it. */
export async function refuseOldRun(runDir: string): Promise<void> {
  const names = await readdir(runDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new ConfigError(`${runDir}: expected a folder for the run, got ${error.code}`);
  });
  const old = names.find((name) => [RECIPE_FILE, RUN_FILE, "metrics.jsonl"].includes(name));
  if (old !== undefined)
    throw new ConfigError(
      `${runDir}: expected no run in this folder, got ${old}`,
      "go on with it by --resume latest, or choose another --run-dir",
    );
}

/** Reads run.json. Throws DataError if it is missing or no run.json. */
export async function loadRunInfo(runDir: string): Promise<RunInfo> {
  const parsed = runInfoSchema.safeParse(await readJson(join(runDir, RUN_FILE)));
  if (parsed.success) return parsed.data;
  throw new DataError(`${join(runDir, RUN_FILE)}: expected what a run writes\n${z.prettifyError(parsed.error)}`);
}

/** Reads recipe.json. Throws DataError if it is missing, ConfigError if it is no recipe. */
export async function loadRecipe(runDir: string): Promise<Recipe> {
  const path = join(runDir, RECIPE_FILE);
  return parseRecipe(await readJson(path), path);
}

/** Reads a JSON file. Throws DataError. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch(async (cause: NodeJS.ErrnoException) => {
    const folder = await stat(join(path, "..")).catch(() => undefined);
    const help = folder ? "is this the folder of a run?" : "there is no such folder";
    throw new DataError(`${path}: expected a file, got ${cause.code}`, help, { cause });
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new DataError(`${path}: expected JSON, got ${(cause as Error).message}`, undefined, { cause });
  }
}
