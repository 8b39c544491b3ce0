/** A small source held in memory as encoded bytes: read once, reshuffled as a whole every epoch. */

import type { BadSample, Sample, Shard, Source } from "../sources/index.ts";
import { indexedSamples } from "../sources/indexed.ts";

/** Bytes of a sample, as counted against limits; the constant stands for the objects around it. */
export const sampleBytes = ({ image, texts = [] }: Sample): number =>
  200 + (image?.length ?? 0) + texts.reduce((n, text) => n + 2 * text.length, 0);

export interface MemoryOptions {
  readonly maxBytes: number;
  /** Only this part of the source is read and given. */
  readonly shard?: Shard | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** What was read before, by source: data sets and stages that share a source share its memory. */
const read = new WeakMap<Source, Map<string, Promise<Source | undefined>>>();

/** Reads the source into memory, once; undefined where it is larger than `maxBytes`. Bad samples are reported once, here. */
export function memorySource(source: Source, options: MemoryOptions): Promise<Source | undefined> {
  const { maxBytes, shard } = options;
  const id = JSON.stringify([maxBytes, shard]);
  const known = read.get(source) ?? new Map<string, Promise<Source | undefined>>();
  read.set(source, known);
  const held = known.get(id) ?? readAll(source, options);
  known.set(id, held);
  held.catch(() => known.delete(id)); // an abort or a broken connection is not remembered
  return held;
}

async function readAll(source: Source, { maxBytes, ...sampling }: MemoryOptions): Promise<Source | undefined> {
  const samples: Sample[] = [];
  let bytes = 0;
  for await (const { sample } of source.samples(sampling)) {
    bytes += sampleBytes(sample);
    if (bytes > maxBytes) return undefined;
    samples.push(sample);
  }
  return sourceOf(source.name, samples);
}

/** A source over samples that are already there. */
export function sourceOf(name: string, samples: readonly Sample[]): Source {
  const { length } = samples;
  return { name, count: length, samples: (options = {}) => indexedSamples(name, length, options, (i) => samples[i]!) };
}
