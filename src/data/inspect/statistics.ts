/** What a source holds, in numbers: samples, sizes, caption lengths, labels, and some of its samples. */

import { readImageHeader } from "../../image/index.ts";
import { random } from "../../tensor/index.ts";
import { type BadList, badList, decodableSource, type Sample, type Source } from "../sources/index.ts";

/** Smallest, middle and largest of some numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly mean: number;
  readonly max: number;
}

export interface Inspection {
  readonly source: string;
  readonly samples: number;
  /** Whether the source has more samples than were looked at. */
  readonly more: boolean;
  readonly images: {
    readonly count: number;
    readonly formats: Readonly<Record<string, number>>;
    readonly width: Spread | null;
    readonly height: Spread | null;
    readonly bytes: Spread | null;
  };
  readonly captions: {
    /** Samples with a caption. */
    readonly count: number;
    readonly perSample: Spread | null;
    /** Of the first caption. */
    readonly words: Spread | null;
    readonly characters: Spread | null;
    /** First captions that occur more than once, and how often the most frequent does. */
    readonly repeated: number;
    readonly mostFrequent: { readonly text: string; readonly count: number } | null;
  };
  readonly labels: Readonly<Record<string, number>>;
  /** Left out (`count`, `reasons`), and ignored without losing a sample (`notes`). */
  readonly bad: {
    readonly count: number;
    readonly reasons: Readonly<Record<string, number>>;
    readonly notes: Readonly<Record<string, number>>;
  };
}

export interface InspectOptions {
  /** The most samples to look at. Default: all. */
  readonly limit?: number | undefined;
  /** How many samples to return, drawn from all that were looked at. */
  readonly examples: number;
  readonly seed?: number | undefined;
  /** Whether pictures are decoded, and those that cannot be count as bad. Default true; else their headers are read alone. */
  readonly decode?: boolean | undefined;
  /** Where bad samples are listed. */
  readonly badFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((samples: number) => void) | undefined;
  /** Called with every sample that is looked at. */
  readonly onSample?: ((sample: Sample) => void) | undefined;
}

const MAX_LABELS = 1000;
const MAX_CAPTIONS = 2_000_000;

/** Reads the source, or its first `limit` samples. */
export async function inspectSource(
  source: Source,
  options: InspectOptions,
): Promise<{ inspection: Inspection; examples: Sample[] }> {
  const {
    limit = Number.POSITIVE_INFINITY,
    examples: wanted,
    seed = 0,
    decode = true,
    signal,
    onProgress,
    onSample,
  } = options;
  const bad = badList(options.badFile);
  const tally = new Tally();
  const rng = random(seed, "examples");
  const examples: { at: number; sample: Sample }[] = [];
  let more = false;
  try {
    const usable = decode ? decodableSource(source) : source;
    for await (const { sample } of usable.samples({ signal, onBad: bad.onBad })) {
      if (tally.samples >= limit) {
        more = true;
        break;
      }
      tally.add(sample);
      onSample?.(sample);
      // Reservoir sampling: every sample has the same chance to be an example.
      const at = tally.samples - 1;
      if (examples.length < wanted) examples.push({ at, sample });
      else {
        const slot = rng.integer(at + 1);
        if (slot < wanted) examples[slot] = { at, sample };
      }
      onProgress?.(tally.samples);
    }
  } finally {
    await bad.close();
  }
  examples.sort((a, b) => a.at - b.at);
  return { inspection: tally.result(source.name, more, bad), examples: examples.map(({ sample }) => sample) };
}

/** Counts as samples go by. */
class Tally {
  samples = 0;
  readonly #formats = new Map<string, number>();
  readonly #labels = new Map<string, number>();
  readonly #captions = new Map<string, number>();
  readonly #numbers = {
    width: [] as number[],
    height: [] as number[],
    bytes: [] as number[],
    perSample: [] as number[],
    words: [] as number[],
    characters: [] as number[],
  };

  add({ image, texts, label }: Sample): void {
    const numbers = this.#numbers;
    this.samples++;
    if (image) {
      const header = readImageHeader(image);
      count(this.#formats, header?.format ?? "unknown");
      numbers.bytes.push(image.length);
      if (header?.width !== undefined) numbers.width.push(header.width);
      if (header?.height !== undefined) numbers.height.push(header.height);
    }
    if (texts && texts.length > 0) {
      const [first] = texts as [string, ...string[]];
      numbers.perSample.push(texts.length);
      numbers.words.push(first.split(/\s+/).filter(Boolean).length);
      numbers.characters.push([...first].length);
      if (this.#captions.has(first) || this.#captions.size < MAX_CAPTIONS) count(this.#captions, first);
    }
    if (label !== undefined && (this.#labels.has(String(label)) || this.#labels.size < MAX_LABELS))
      count(this.#labels, String(label));
  }

  result(source: string, more: boolean, bad: BadList): Inspection {
    const { width, height, bytes, perSample, words, characters } = this.#numbers;
    const repeated = [...this.#captions].filter(([, times]) => times > 1).sort((a, b) => b[1] - a[1]);
    const [top] = repeated;
    return {
      source,
      samples: this.samples,
      more,
      images: {
        count: bytes.length,
        formats: Object.fromEntries(this.#formats),
        width: spread(width),
        height: spread(height),
        bytes: spread(bytes),
      },
      captions: {
        count: words.length,
        perSample: spread(perSample),
        words: spread(words),
        characters: spread(characters),
        repeated: repeated.length,
        mostFrequent: top ? { text: top[0], count: top[1] } : null,
      },
      labels: Object.fromEntries(this.#labels),
      bad: { count: bad.count, reasons: Object.fromEntries(bad.reasons), notes: Object.fromEntries(bad.notes) },
    };
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { min: sorted[0]!, median: sorted[sorted.length >> 1]!, mean, max: sorted.at(-1)! };
}
