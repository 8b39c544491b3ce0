/** run.json: what a run says of itself beside its metrics. */
import { join } from "node:path";
import { z } from "zod";
import { DataError, FileError } from "../errors.ts";
import { readJson, saveJson, statOf } from "../io/index.ts";
import type { Environment } from "./environment.ts";

/** In the run's folder. */
export const RUN_FILE = "run.json";

/** What run.json says of a stage. */
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

/** One time that a run went on. */
export interface Resumption {
  /** ISO 8601. */
  readonly at: string;
  readonly command: string;
  /** After which step of which stage. */
  readonly stage: string;
  readonly step: number;
  /** What was not as before, a line each: values of the recipe, files of data. */
  readonly changes: readonly string[];
}

/** How much of a set's texts the vocabulary knows. */
export interface SetCoverage {
  readonly texts: number;
  readonly words: number;
  readonly unknown: number;
  readonly unknownShare: number;
  /** Texts without a known word. */
  readonly unreadable: number;
  readonly commonest: readonly { readonly word: string; readonly count: number }[];
  /** Only so many samples were counted; absent: all. */
  readonly firstSamples?: number | undefined;
}

/** run.json: what a run is, where it stands, and what came out. */
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
  /** What its vocabulary knows of each set of texts. */
  readonly coverage?: Readonly<Record<string, SetCoverage>> | undefined;
  readonly stages: Readonly<Record<string, StageInfo>>;
  /** The final numbers, in the order in which they are printed. A name with `_over_chance` at its end is a multiple of chance. */
  readonly results: Readonly<Record<string, number>>;
  /** 95 % bootstrap intervals of results, by their names. */
  readonly intervals?: Readonly<Record<string, { readonly low: number; readonly high: number }>> | undefined;
  /** What a guess scores, by the names of `results`. */
  readonly chance?: Readonly<Record<string, number>> | undefined;
  readonly peakMemoryBytes?: number | undefined;
  /** Every time that the run went on, in order. */
  readonly history?: readonly Resumption[] | undefined;
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
  coverage: z
    .record(
      z.string(),
      z.object({
        texts: count,
        words: count,
        unknown: count,
        unknownShare: count,
        unreadable: count,
        commonest: z.array(z.object({ word: z.string(), count })),
        firstSamples: count.optional(),
      }),
    )
    .optional(),
  stages: z.record(z.string(), stageInfo),
  results: numbers,
  intervals: z.record(z.string(), z.object({ low: z.number(), high: z.number() })).optional(),
  chance: numbers.optional(),
  peakMemoryBytes: count.optional(),
  history: z
    .array(
      z.object({ at: z.string(), command: z.string(), stage: z.string(), step: count, changes: z.array(z.string()) }),
    )
    .optional(),
});

/** Writes run.json, whole or not at all. Throws FileError. */
export const saveRunInfo = (runDir: string, info: RunInfo): Promise<void> => saveJson(join(runDir, RUN_FILE), info);

/** Reads run.json. Throws FileError if it cannot be read, DataError if it is no run.json. */
export async function loadRunInfo(runDir: string): Promise<RunInfo> {
  const path = join(runDir, RUN_FILE);
  if (!(await statOf(path))) {
    const help = (await statOf(runDir)) ? "is this the folder of a run?" : `there is no folder ${runDir}`;
    throw new FileError(`${path}: expected a file, got none`, help);
  }
  const parsed = runInfoSchema.safeParse(await readJson(path));
  if (parsed.success) return parsed.data;
  throw new DataError(`${path}: expected what a run writes\n${z.prettifyError(parsed.error)}`);
}

/** Reads run.json where there is one. A damaged one is an error all the same: what it says of the run would be lost. */
export const findRunInfo = async (runDir: string): Promise<RunInfo | undefined> =>
  (await statOf(join(runDir, RUN_FILE))) ? loadRunInfo(runDir) : undefined;
