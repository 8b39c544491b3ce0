/** One pass over a data set in batches, for evaluation: every sample once, in order, the last batch as small as it comes. */

import { settled } from "../../errors.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { createBuilder } from "../batch/builder.ts";
import type { BadSample } from "../sources/index.ts";
import { type DatasetOptions, openDataset } from "./dataset.ts";
import { inlineExecutor } from "./executor.ts";
import type { LoadedBatch } from "./loader.ts";
import { Pipeline } from "./pipeline.ts";
import type { PixelCache } from "./pixel-cache.ts";

export interface PassOptions extends Omit<DatasetOptions, "ratio"> {
  readonly tokenizer?: TextTokenizer | undefined;
  /** For what is drawn: masks and negatives. Default 0. */
  readonly seed?: number | undefined;
  /** Threads that make batches; 0: this one. Default 0. */
  readonly workers?: number | undefined;
  /** Keeps decoded pictures, for evaluations that come back. */
  readonly pixels?: PixelCache | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/**
 * The batches of one pass: the next `batchSize` samples each, without bad ones, so a batch may be smaller. Not shuffled unless `shuffle`
 * is given; no negatives unless `negatives` is; the first caption unless a source says otherwise.
 */
export async function* passBatches(options: PassOptions): AsyncGenerator<Omit<LoadedBatch, "state">> {
  const { name, build, batchSize, workers = 0, seed = 0, tokenizer, signal, onBad } = options;
  const setup = { builds: { [name]: build }, tokenizer: tokenizer?.json };
  const pool = workers > 0 ? await import("./worker-pool.ts") : undefined;
  const executor = pool ? await pool.workerExecutor(setup, workers, signal) : inlineExecutor(setup, signal);
  const sources = options.sources.map((each) => ({ captions: "first" as const, ...each }));
  const dataset = { shuffle: 0, negatives: 0, ...options, sources };
  try {
    const stream = await openDataset(dataset, { seed, tokenizer, signal, onBad, epochs: 1 }, undefined);
    const { fields } = createBuilder(build, tokenizer);
    const { maxPixels, pixels } = options;
    const { next } = stream;
    const made = { name, build: name, fields, executor, next, pixels, maxPixels, onBad };
    const pipeline = new Pipeline({ ...made, bad: "leave out" });
    let step = 0;
    let ahead = pipeline.take(batchSize);
    for (let ended = false; !ended; ) {
      const taken = await ahead;
      ended = taken.ended;
      if (!ended) ahead = pipeline.take(batchSize);
      void settled(ahead);
      const { tensors: feeds, samples } = taken;
      if (samples.length > 0) yield { step: ++step, dataset: name, kind: build.kind, feeds, samples };
    }
  } finally {
    await executor.close();
  }
}
