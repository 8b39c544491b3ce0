/** One pass over a data set in batches, for evaluation: every sample once, in order, the last batch as small as it comes. */

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

/** The batches of one pass. Not shuffled unless `shuffle` is given; no negatives unless `negatives` is;
 * the first caption unless a source says otherwise. */
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
    const pipeline = new Pipeline({ name, build: name, fields, executor, next: stream.next, pixels, maxPixels, onBad });
    let ahead = pipeline.take(batchSize);
    for (let step = 1; ; step++) {
      const { tensors, samples } = await ahead;
      if (samples.length === 0) return;
      ahead = pipeline.take(batchSize);
      ahead.catch(() => undefined); // met in the next round
      yield { step, dataset: name, kind: build.kind, feeds: tensors, samples };
    }
  } finally {
    await executor.close();
  }
}
