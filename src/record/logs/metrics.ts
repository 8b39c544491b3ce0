/**
 * metrics.jsonl, the truth about a run: a line a step, flat scalars; what is measured on held-out data is called `eval/…` and
 * has a line of its own. A resumed run removes the lines after the step that it resumes from, so that the file is that
 * of a run without interruption.
 */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { FileError } from "../../errors.ts";
import { saveFile, statOf, systemReason, writeError } from "../../io/index.ts";

/** All metrics of a run as JSON Lines, in its folder. */
export const METRICS_FILE = "metrics.jsonl";

/** One line. */
export interface MetricsLine {
  readonly stage: string;
  readonly step: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** null where the number was not finite. */
  readonly values: Readonly<Record<string, number | null>>;
}

/** Which part of the logs of a folder is void, since the run trains those steps (again). */
export interface LogOptions {
  /** The stages that run now, in their order. What the logs hold of other stages stays. */
  readonly running: readonly string[];
  /** The last step of the first of them that stays, where it goes on; absent: it begins anew. */
  readonly resumedAt?: number | undefined;
  /** Seconds since 1970; for tests. */
  readonly now?: (() => number) | undefined;
}

/** The last step of a stage that stays: 0 where it begins anew, undefined where it doesn't run and all stays. */
export function lastKept({ running, resumedAt = 0 }: LogOptions, stage: string): number | undefined {
  if (!running.includes(stage)) return undefined;
  return stage === running[0] ? resumedAt : 0;
}

/** The writer of metrics.jsonl. */
export interface MetricsLog extends AsyncDisposable {
  readonly path: string;
  /** Lines that were taken away, since the run trains their steps again, and lines that were damaged. */
  readonly removed: number;
  /** Appends a line; it is with the operating system when this resolves, so killing the process does not lose it. */
  log(stage: string, step: number, values: Readonly<Record<string, number>>): Promise<void>;
  /** Makes what was written last through a power cut. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the file for appending, without what is void. Throws FileError if it cannot be written. */
export async function openMetrics(path: string, options: LogOptions): Promise<MetricsLog> {
  const { now = () => Date.now() / 1000 } = options;
  const removed = await removeVoid(path, options);
  const handle = await open(path, "a").catch((error: unknown) => {
    throw writeError(path, error);
  });
  const close = (): Promise<void> => handle.close();
  return {
    path,
    removed,
    async log(stage, step, values) {
      const line = JSON.stringify({ stage, step, time: Math.round(now() * 1000) / 1000, ...values });
      await handle.appendFile(`${line}\n`).catch((error: unknown) => {
        throw writeError(path, error);
      });
    },
    flush: () => handle.sync(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Writes the file anew where a line of it is void or damaged; returns how many are. */
async function removeVoid(path: string, options: LogOptions): Promise<number> {
  const text = await readText(path);
  const all = text.split(/(?<=\n)/).filter((line) => line !== "");
  const kept = all.filter((line) => {
    const parsed = line.endsWith("\n") ? parseLine(line) : undefined; // without an end it may be torn inside a number
    return parsed !== undefined && parsed.step <= (lastKept(options, parsed.stage) ?? parsed.step);
  });
  if (kept.length < all.length) await saveFile(path, kept.join(""));
  return all.length - kept.length;
}

/** "" where there is no file. */
async function readText(path: string): Promise<string> {
  if (!(await statOf(path))) return "";
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a file, got ${systemReason(cause)}`, undefined, { cause });
  });
}

const lineSchema = z
  .object({ stage: z.string(), step: z.int().nonnegative(), time: z.number() })
  .catchall(z.number().nullable());

/** One line, or undefined where it is none. */
export function parseLine(text: string): MetricsLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { stage, step, time, ...values } = parsed.data;
  return { stage, step, time, values };
}

/** The lines of metrics.jsonl, and how many were damaged. */
export interface ReadMetrics {
  readonly lines: readonly MetricsLine[];
  /** Lines of the file that are none: the last one may have been torn off by a kill. */
  readonly damaged: number;
}

/** The lines of a file's text, and how many are damaged. */
export function parseMetrics(text: string): ReadMetrics {
  const all = text.split("\n").filter((line) => line !== "");
  const lines = all.flatMap((line) => parseLine(line) ?? []);
  return { lines, damaged: all.length - lines.length };
}

/** The metrics of a run folder; none if it has logged nothing yet. Throws FileError if they cannot be read. */
export const loadMetrics = async (runDir: string): Promise<ReadMetrics> =>
  parseMetrics(await readText(join(runDir, METRICS_FILE)));
