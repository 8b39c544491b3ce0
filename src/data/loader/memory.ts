/** A small source held in memory as encoded bytes: read once, reshuffled as a whole every epoch, by samples or by documents. */

import { permutation, random } from "../../tensor/index.ts";
import type { BadSample, Order, Sample, Source } from "../sources/index.ts";
import { indexedSamples } from "../sources/indexed.ts";

/** Bytes of a sample, as counted against limits; the constant stands for the objects around it. */
export const sampleBytes = ({ image, texts = [], regions }: Sample): number =>
  200 +
  (image?.length ?? 0) +
  (regions ? 4 * regions.count * (regions.width + 4) + (regions.classes?.byteLength ?? 0) : 0) +
  texts.reduce((n, text) => n + 2 * text.length, 0);

export interface MemoryOptions {
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** A source in memory. */
export interface HeldSource extends Source {
  /** The same samples, ordered by whole documents: neighbours with the same `meta[field]` stay together, as they came. */
  byDocument(field: string): Source;
}

/** What was read before, by source and limit: data sets and stages that share a source share its memory. */
const read = new WeakMap<Source, Map<number, Promise<HeldSource | undefined>>>();

/** Reads the source into memory, once; undefined where it is larger than `maxBytes`. Bad samples are reported once, here. */
export function memorySource(source: Source, options: MemoryOptions): Promise<HeldSource | undefined> {
  const { maxBytes } = options;
  const known = read.get(source) ?? new Map<number, Promise<HeldSource | undefined>>();
  read.set(source, known);
  const held = known.get(maxBytes) ?? readAll(source, options);
  known.set(maxBytes, held);
  held.catch(() => known.delete(maxBytes)); // an abort or a broken connection is not remembered
  return held;
}

async function readAll(source: Source, { maxBytes, ...sampling }: MemoryOptions): Promise<HeldSource | undefined> {
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
export function sourceOf(name: string, samples: readonly Sample[]): HeldSource {
  const { length } = samples;
  return {
    name,
    count: length,
    samples: (options = {}) => indexedSamples(name, length, options, (i) => samples[i]!),
    byDocument: (field) => {
      const starts = documentStarts(samples, field);
      return {
        name,
        count: length,
        samples: ({ order, ...options } = {}) => {
          const at = order && documentOrder(starts, length, order);
          return indexedSamples(name, length, options, (i) => samples[at ? at[i]! : i]!);
        },
      };
    },
  };
}

/** Where each document begins; a sample without the field is one of its own. */
function documentStarts(samples: readonly Sample[], field: string): number[] {
  const document = (i: number): unknown => samples[i]?.meta?.[field];
  return [...samples.keys()].filter((i) => i === 0 || document(i) === undefined || document(i) !== document(i - 1));
}

/** Sample numbers, document by document in the order of this pass. */
function documentOrder(starts: readonly number[], count: number, { seed, epoch }: Order): Int32Array {
  const at = new Int32Array(count);
  let filled = 0;
  for (const document of permutation(starts.length, random(seed, "document-order", epoch)))
    for (let i = starts[document]!; i < (starts[document + 1] ?? count); i++) at[filled++] = i;
  return at;
}
