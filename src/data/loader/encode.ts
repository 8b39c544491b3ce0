/** Makes the rows of a batch out of samples: decode, then fill. Runs in the main thread and in workers alike. */
import { DataError, settled } from "../../errors.ts";
import { decodeImage, type Pixels } from "../../image/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { type Builder, createBuilder } from "../batch/builder.ts";
import { allocateRows, type BatchBuild, type BatchItem, type Rows } from "../batch/index.ts";

/** A piece of work: some samples of one data set. */
export interface Task {
  /** Which of the builds. */
  readonly build: string;
  readonly items: readonly BatchItem[];
  /** Give the decoded pictures back, to be kept. */
  readonly keepPixels: boolean;
  /** Larger pictures are bad samples. */
  readonly maxPixels: number | undefined;
}

export interface TaskResult {
  /** Rows of the good items, in order; room that is left over is behind them. */
  readonly rows: Rows;
  readonly good: readonly number[];
  readonly bad: readonly { readonly index: number; readonly reason: string }[];
  /** The pictures decoded, by item; empty unless they were asked for. */
  readonly pixels: readonly (Pixels | undefined)[];
}

export type Encoder = (task: Task, signal?: AbortSignal) => Promise<TaskResult>;

/** Decodes that run at once: the codec has threads of its own, the rest of the work has one. */
const DECODES_AHEAD = 3;
/** The event loop gets a turn this often. */
const TURN_MS = 4;

/** An encoder for these builds. */
export function createEncoder(
  builds: Readonly<Record<string, BatchBuild>>,
  tokenizer: TextTokenizer | undefined,
): Encoder {
  const builders = new Map(Object.entries(builds).map(([name, build]) => [name, createBuilder(build, tokenizer)]));
  return (task, signal) => encodeTask(task, builders.get(task.build)!, signal);
}

async function encodeTask(task: Task, builder: Builder, signal: AbortSignal | undefined): Promise<TaskResult> {
  const rows = allocateRows(builder.fields, task.items.length);
  const good: number[] = [];
  const bad: { index: number; reason: string }[] = [];
  const pixels: (Pixels | undefined)[] = [];
  const decode = (index: number): Promise<Pixels | undefined> | undefined => {
    const item = task.items[index];
    if (item === undefined || !builder.needsImage) return undefined;
    const result = decodeItem(item, task.maxPixels, signal);
    void settled(result);
    return result;
  };
  const ahead = Array.from({ length: DECODES_AHEAD }, (_, i) => decode(i));
  let turn = performance.now();
  for (const [index, item] of task.items.entries()) {
    const decoding = ahead.shift();
    ahead.push(decode(index + DECODES_AHEAD));
    try {
      const picture = await decoding;
      if (task.keepPixels) pixels[index] = item.pixels ? undefined : picture;
      builder.encode(item, picture, rows, good.length);
      good.push(index);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      bad.push({ index, reason: error.message.split("\n")[0]! });
    }
    if (performance.now() - turn > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      turn = performance.now();
    }
  }
  return { rows, good, bad, pixels };
}

async function decodeItem(
  { key, pixels, image }: BatchItem,
  maxPixels: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Pixels> {
  if (pixels) return pixels;
  if (image === undefined) throw new DataError(`${key}: the image is missing`);
  return decodeImage(image, { key, ...(maxPixels !== undefined && { maxPixels }), ...(signal && { signal }) });
}
