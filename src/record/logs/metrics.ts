/**
 * metrics.jsonl, the truth about a run: a line a step, flat scalars. A resumed run takes away the lines after the step that
 * it goes on from, so that the file is that of a run without interruption.
 */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { writeError } from "../../io/index.ts";

/** One line. */
export interface MetricsLine {
  readonly stage: string;
  readonly step: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** null where the number was not finite. */
  readonly values: Readonly<Record<string, number | null>>;
}

export interface MetricsLog extends AsyncDisposable {
  readonly path: string;
  /** Appends a line; it is with the operating system when this resolves, so killing the process does not lose it. */
  log(stage: string, step: number, values: Readonly<Record<string, number>>): Promise<void>;
  /** Makes what was written last through a power cut. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface MetricsOptions {
  /** The stages in the order in which they run. */
  readonly stages: readonly string[];
  /** The last step that stays; absent: a new run, which starts with an empty file. */
  readonly resumeAt?: { readonly stage: string; readonly step: number } | undefined;
  /** Seconds since 1970; for tests. */
  readonly now?: (() => number) | undefined;
}

/** Opens the file for appending. Throws CheckpointError if it cannot be written. */
export async function openMetrics(path: string, options: MetricsOptions): Promise<MetricsLog> {
  const { now = () => Date.now() / 1000 } = options;
  const handle = await prepare(path, options).catch((error: unknown) => {
    throw writeError(path, error);
  });
  const close = (): Promise<void> => handle.close();
  return {
    path,
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

async function prepare(path: string, { stages, resumeAt }: MetricsOptions): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, "a+");
  const bytes = resumeAt ? await handle.readFile() : Buffer.alloc(0);
  await handle.truncate(resumeAt ? keptBytes(bytes, stages, resumeAt) : 0);
  return handle;
}

/** How much of the file stays: up to the first line that comes after `at`, or that was torn off at the end. */
function keptBytes(bytes: Buffer, stages: readonly string[], at: { stage: string; step: number }): number {
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    const line = parseLine(bytes.toString("utf8", start, end));
    if (line && isAfter(line, stages, at)) return start;
    start = end + 1;
  }
  return start;
}

function isAfter(line: MetricsLine, stages: readonly string[], at: { stage: string; step: number }): boolean {
  if (line.stage === at.stage) return line.step > at.step;
  const place = stages.indexOf(line.stage);
  return place < 0 || place > stages.indexOf(at.stage);
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

/** All lines of a file's text; those that are torn or no lines are left out. */
export const parseMetrics = (text: string): MetricsLine[] => text.split("\n").flatMap((line) => parseLine(line) ?? []);
