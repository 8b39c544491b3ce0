/**
 * The data side of training: batch after batch, each from the data set that (seed, step) picks, made ahead of time in
 * worker threads. Every batch carries the state that continues right after it.
 */

import { z } from "zod";
import { ConfigError, settled } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { createBuilder } from "../batch/builder.ts";
import type { BatchKind } from "../batch/index.ts";
import { jsonSchema, parseCursor } from "../sources/files.ts";
import { type BadSample, type Fingerprint, fingerprintSchema, type Shard, type Source } from "../sources/index.ts";
import { chooseDataset } from "./choose.ts";
import { type DatasetOptions, type ItemStream, openDataset } from "./dataset.ts";
import { type Executor, inlineExecutor } from "./executor.ts";
import { compareFiles, fingerprints } from "./files-of.ts";
import { Pipeline } from "./pipeline.ts";
import type { PixelCache } from "./pixel-cache.ts";
import { namesOf } from "./source-names.ts";
import { firstTexts, type TextCounts } from "./text-counts.ts";

export interface LoaderOptions {
  readonly seed: number;
  readonly datasets: readonly DatasetOptions[];
  /** Threads that make batches; 0: this one. Default 0. */
  readonly workers?: number | undefined;
  /** Batches made ahead of the one that was asked for: the bound of memory. Default 2. */
  readonly prefetch?: number | undefined;
  /**
   * When several workers train together: worker r of N reads rows r·B/N … (r+1)·B/N − 1 of every batch of B. All go through the same
   * samples, and each decodes its own.
   */
  readonly shard?: Shard | undefined;
  /** Needed for text and pair batches. */
  readonly tokenizer?: TextTokenizer | undefined;
  /** Continue right after the batch that came with this state. */
  readonly state?: LoaderState | undefined;
  /** Keeps decoded pictures; several loaders may share one. */
  readonly pixels?: PixelCache | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for every sample that is left out: unreadable, incomplete, or not decodable. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
  /** Called with counts of the first batch with texts of each data set. */
  readonly onTexts?: ((counts: TextCounts) => void) | undefined;
  /**
   * Called with the files that differ from those the state was made with, by data set, a line for each file: the data
   * continues in another order than before. Where it is absent, such a state is refused with a ConfigError.
   */
  readonly onChanged?: ((changes: readonly string[]) => void) | undefined;
}

/** Where the data stands after a step: plain JSON, for checkpoints. It is the same for all workers, and for any number of them. */
export interface LoaderState {
  readonly seed: number;
  /** The last step whose batch was given. */
  readonly step: number;
  /** Every data set; null: nothing read yet. */
  readonly datasets: Readonly<Record<string, Json>>;
  /** What the files of the sources were, by data set and number of the source. */
  readonly files?: Readonly<Record<string, Fingerprint>> | undefined;
}

export interface LoadedBatch {
  readonly step: number;
  readonly dataset: string;
  readonly kind: BatchKind;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** The keys of the samples, row by row. */
  readonly samples: readonly string[];
  readonly state: LoaderState;
}

export interface Loader {
  /** The batch of the next step. Steps count from 1, or from the state's step + 1; if `step` is given it must be that one. */
  next(step?: number): Promise<LoadedBatch>;
  /** Ends the threads and releases files. Batches still being made are given up. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Opened {
  readonly options: DatasetOptions;
  readonly stream: ItemStream;
  readonly pipeline: Pipeline;
}

const stateSchema = z.strictObject({
  seed: z.number(),
  step: z.int().nonnegative(),
  datasets: z.record(z.string(), jsonSchema),
  files: z.record(z.string(), fingerprintSchema).optional(),
});

/** Opens the data sets and starts the threads; the first batches are made at once. */
export async function createLoader(options: LoaderOptions): Promise<Loader> {
  const { seed, datasets, workers = 0, prefetch = 2, signal } = options;
  check(options);
  const start = restore(options);
  const files = await fingerprints(datasets);
  if (start.files) compareFiles(start.files, files, options.onChanged);
  const builds = Object.fromEntries(datasets.map(({ name, build }) => [name, build]));
  const setup = { builds, tokenizer: options.tokenizer?.json };
  const executor = workers === 0 ? inlineExecutor(setup, signal) : await threads(setup, workers, signal);
  const opened = await openAll(options, start, executor).catch(async (error) => {
    await executor.close();
    throw error;
  });
  const tellTexts = firstTexts(options.tokenizer?.special, options.onTexts);
  const ratios = datasets.map(({ ratio = 1 }) => ratio);
  const queue: Promise<Omit<LoadedBatch, "state"> & { place: Json }>[] = [];
  let states = start.datasets;
  let asked = start.step;
  let given = start.step;

  const ask = (): void => {
    const step = ++asked;
    const { options: dataset, pipeline } = opened[chooseDataset(seed, step, ratios)]!;
    const batch = pipeline.take(dataset.batchSize).then(({ tensors, samples, state }) => {
      return { step, dataset: dataset.name, kind: dataset.build.kind, feeds: tensors, samples, place: state ?? null };
    });
    void settled(batch);
    queue.push(batch);
  };
  const next = async (step = given + 1): Promise<LoadedBatch> => {
    if (step !== given + 1) throw new ConfigError(`loader: expected to be asked for step ${given + 1}, got ${step}`);
    signal?.throwIfAborted();
    given++;
    while (queue.length < 1 + prefetch) ask();
    const { place, ...batch } = await orAbort(queue.shift()!, signal);
    states = { ...states, [batch.dataset]: place };
    tellTexts(batch);
    return { ...batch, state: { seed, step, datasets: states, files } };
  };
  const close = async (): Promise<void> => {
    await executor.close();
    await Promise.all(opened.map(({ stream }) => stream.close()));
  };
  for (let i = 0; i < prefetch; i++) ask();
  return { next, close, [Symbol.asyncDispose]: close };
}

function check({ datasets, tokenizer, prefetch = 2, workers = 0, shard }: LoaderOptions): void {
  const names = new Set(datasets.map(({ name }) => name));
  if (datasets.length === 0) throw new ConfigError("loader: expected a data set, got none");
  if (names.size < datasets.length) throw new ConfigError("loader: expected data sets with different names");
  for (const [what, value] of Object.entries({ prefetch, workers }))
    if (!Number.isInteger(value) || value < 0) throw new ConfigError(`loader: expected ${what} ≥ 0, got ${value}`);
  for (const { name, batchSize, sources, build } of datasets) {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ConfigError(`${name}: expected a batch size of at least 1, got ${batchSize}`);
    if (shard && batchSize % shard.count !== 0)
      throw new ConfigError(
        `${name}: expected a batch that ${shard.count} workers share evenly, got ${batchSize} rows`,
        `take a multiple of ${shard.count}`,
      );
    if (sources.length === 0) throw new ConfigError(`${name}: expected a source, got none`);
    createBuilder(build, tokenizer);
  }
}

function restore({ seed, state, datasets }: LoaderOptions): LoaderState {
  const names = datasets.map(({ name }) => name);
  if (state === undefined) return { seed, step: 0, datasets: Object.fromEntries(names.map((name) => [name, null])) };
  const parsed = parseCursor("loader", state as unknown as Json, stateSchema);
  const saved = Object.keys(parsed.datasets);
  const help = "the order of the data depends on it; keep the values of the run that is resumed";
  if (parsed.seed !== seed)
    throw new ConfigError(`loader: expected to resume with seed ${parsed.seed}, got ${seed}`, help);
  if (saved.toSorted().join("\n") !== names.toSorted().join("\n"))
    throw new ConfigError(`loader: expected to resume with ${saved.join(", ")}, got ${names.join(", ")}`, help);
  return parsed;
}

async function threads(
  ...[setup, workers, signal]: Parameters<typeof import("./worker-pool.ts").workerExecutor>
): Promise<Executor> {
  const { workerExecutor } = await import("./worker-pool.ts");
  return workerExecutor(setup, workers, signal);
}

function openAll(options: LoaderOptions, start: LoaderState, executor: Executor): Promise<Opened[]> {
  const { datasets } = options;
  const names = namesOf(datasets.flatMap(({ sources }) => sources.map(({ source }) => source)));
  return Promise.all(
    datasets.map((dataset) => openOne(dataset, { ...options, names }, start.datasets[dataset.name], executor)),
  );
}

async function openOne(
  dataset: DatasetOptions,
  { seed, shard, tokenizer, pixels, signal, onBad, names }: LoaderOptions & { names: ReadonlyMap<Source, string> },
  state: Json | undefined,
  executor: Executor,
): Promise<Opened> {
  const stream = await openDataset(dataset, { seed, tokenizer, signal, onBad, names }, state);
  const { name, build, maxPixels } = dataset;
  const pipeline = new Pipeline({
    name,
    build: name,
    fields: createBuilder(build, tokenizer).fields,
    executor,
    next: stream.next,
    bad: "replace",
    shard,
    pixels,
    maxPixels,
    onBad,
  });
  return { options: dataset, stream, pipeline };
}

/** The promise, or the abort if that comes first. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
