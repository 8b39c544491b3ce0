/** Encoded pictures to rows, in order: read and decoded in threads while the model computes. */
import { availableParallelism } from "node:os";
import type { BatchItem } from "../data/batch/types.ts";
import type { Task, TaskResult } from "../data/loader/encode.ts";
import { type Executor, inlineExecutor } from "../data/loader/executor.ts";
import { tensor } from "../tensor/index.ts";
import { inGroups, mapAhead } from "./ahead.ts";
import type { Encoder } from "./encoder.ts";

/** Bytes of a picture with what its caller knows it by, or why there are none. */
export type Loaded<T> =
  | { readonly item: T; readonly key: string; readonly image: Uint8Array }
  | { readonly item: T; readonly key: string; readonly reason: string };

/** A row (width), or why there is none. */
export type Outcome<T> =
  | { readonly item: T; readonly row: Float32Array }
  | { readonly item: T; readonly reason: string };

/** How pictures are decoded, and how the work is stopped. */
export interface EmbedOptions {
  /** Threads that decode; 0: this one. Default `decodingThreads()`. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** As many as leave the model its share. */
export const decodingThreads = (): number => Math.min(4, Math.max(1, availableParallelism() - 1));

/** The outcomes of the next `encoder.batchSize` pictures at a time. Holds two batches more than there are threads. */
export async function* embedPictures<T>(
  pictures: AsyncIterable<Loaded<T>>,
  encoder: Encoder,
  { workers = decodingThreads(), signal }: EmbedOptions = {},
): AsyncGenerator<Outcome<T>[]> {
  const setup = { builds: { pictures: { kind: "image", image: encoder.build } as const }, tokenizer: undefined };
  const executor =
    workers > 0
      ? await (await import("../data/loader/worker-pool.ts")).workerExecutor(setup, workers, signal)
      : inlineExecutor(setup, signal);
  try {
    const groups = inGroups(pictures, encoder.batchSize);
    const decoded = mapAhead(groups, workers + 1, async (group) => ({ group, result: await decode(group, executor) }));
    for await (const { group, result } of decoded) yield await encode(group, result, encoder, signal);
  } finally {
    await executor.close();
  }
}

/** Nothing is drawn. */
const DRAW = { seed: 0, stream: "", epoch: 0, ordinal: 0 };

async function decode<T>(group: readonly Loaded<T>[], executor: Executor): Promise<TaskResult> {
  const items = group.flatMap((one): BatchItem[] =>
    "image" in one ? [{ key: one.key, draw: DRAW, image: one.image }] : [],
  );
  return executor.run({ build: "pictures", items, keepPixels: false, maxPixels: undefined } satisfies Task);
}

async function encode<T>(
  group: readonly Loaded<T>[],
  { rows, good, bad }: TaskResult,
  encoder: Encoder,
  signal: AbortSignal | undefined,
): Promise<Outcome<T>[]> {
  const { size } = encoder.build;
  const all = rows.pixel_values as Float32Array;
  const pixels = tensor("float32", [good.length, 3, size, size], all.subarray(0, good.length * 3 * size * size));
  const embeds = good.length > 0 ? await encoder.images(pixels, signal) : new Float32Array(0);
  const at = new Map(good.map((index, row) => [index, row]));
  const reasons = new Map(bad.map(({ index, reason }) => [index, reason]));
  let index = 0;
  return group.map((one): Outcome<T> => {
    const { item, key } = one;
    if ("reason" in one) return { item, reason: one.reason };
    const row = at.get(index);
    const reason = reasons.get(index++) ?? "";
    if (row === undefined) return { item, reason: reason.replace(/^decodeImage: /, "").replace(`${key}: `, "") };
    return { item, row: embeds.subarray(row * encoder.width, (row + 1) * encoder.width) };
  });
}
