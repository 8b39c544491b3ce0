/** What a source holds, as far as a recipe depends on it: looked at in one pass that ends early where there is much. */
import { createHash } from "node:crypto";
import {
  type Cursor,
  decodableSource,
  Grouping,
  marksOf,
  normalCaption,
  type Sample,
  type Source,
  SPLIT_BY,
  type SplitBy,
} from "../../data/index.ts";
import { readImageHeader } from "../../image/index.ts";
import { isJsonObject } from "../../io/index.ts";
import type { TextTokenizer } from "../../text/index.ts";

/** Smallest, middle, 95 of 100, largest of some numbers. */
export interface Range {
  readonly min: number;
  readonly median: number;
  readonly most: number;
  readonly max: number;
}

/** A source, looked at. */
export interface Survey {
  readonly name: string;
  /** Usable samples that were looked at. */
  readonly looked: number;
  /** Samples in all, unusable ones among them; an estimate unless `whole`. */
  readonly total: number;
  /** Whether all of it was looked at. */
  readonly whole: boolean;
  /** Left out, by reason, and listed. */
  readonly bad: readonly { readonly key: string; readonly reason: string }[];
  /** Ignored without losing a sample, by reason. */
  readonly notes: Readonly<Record<string, number>>;
  /** Samples with a picture, with a caption, with both. */
  readonly pictures: number;
  readonly captions: number;
  readonly pairs: number;
  /** The smaller side in pixels. */
  readonly side: Range | undefined;
  readonly words: Range | undefined;
  /** Of bert-base-uncased, with [CLS] and [SEP]. */
  readonly tokens: Range | undefined;
  /** Entries of bert-base-uncased that occur. */
  readonly entries: number;
  /** Different captions, as they are compared (case, punctuation and articles aside). */
  readonly distinctCaptions: number;
  /** Pictures that are the same bytes as an earlier one. */
  readonly repeatedPictures: number;
  readonly captionsPerPicture: number;
  /** Samples that belong together, by how strictly. */
  readonly groups: Readonly<Record<SplitBy, Grouping>>;
}

/** How much is looked at. */
export interface SurveyOptions {
  readonly tokenizer: TextTokenizer;
  readonly maxSamples: number;
  /** After so long no more samples are read, if there are some. */
  readonly maxMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly note?: ((line: string) => void) | undefined;
  readonly onProgress?: ((samples: number) => void) | undefined;
}

const MIN_SAMPLES = 200;
/** The pass: files and samples in an order of its own, so that what is looked at is no corner of the whole. */
export const SURVEY_ORDER = { seed: 0, epoch: 0 } as const;

/** Looks at a source. Pictures are decoded, so what is damaged is found. Throws DataError where the source cannot be read. */
export async function surveySource(source: Source, options: SurveyOptions): Promise<Survey> {
  const { tokenizer, maxSamples, maxMs, signal, note, onProgress } = options;
  const tally = new Tally(tokenizer);
  const bad: { key: string; reason: string }[] = [];
  const notes: Record<string, number> = {};
  const onBad = ({ key, reason, kept }: { key: string; reason: string; kept?: true }): void => {
    if (!kept) bad.push({ key, reason });
    else notes[reason] = (notes[reason] ?? 0) + 1;
  };
  const begun = performance.now();
  let [whole, read, last] = [true, 0, null as Cursor];
  for await (const { sample, cursor } of decodableSource(source).samples({
    signal,
    note,
    onBad,
    order: SURVEY_ORDER,
  })) {
    const late = tally.looked >= MIN_SAMPLES && performance.now() - begun > maxMs;
    if (tally.looked >= maxSamples || late) {
      whole = false;
      break;
    }
    tally.add(sample);
    read += bytesOf(sample);
    last = cursor;
    onProgress?.(tally.looked);
  }
  const total = whole ? tally.looked + bad.length : await estimateTotal(source, tally.looked + bad.length, read, last);
  return { name: source.name, total, whole, bad, notes, ...tally.result() };
}

const bytesOf = ({ image, texts = [] }: Sample): number =>
  (image?.length ?? 0) + texts.reduce((n, text) => n + text.length + 1, 0);

/** By what the source says, else by the part of its bytes that was read. */
async function estimateTotal(source: Source, samples: number, read: number, cursor: Cursor): Promise<number> {
  if (source.count !== undefined) return source.count;
  const files = await source.fingerprint?.();
  if (!files) return samples;
  const at = isJsonObject(cursor) && isJsonObject(cursor.at) ? cursor.at.byte : undefined;
  const done = typeof at === "number" && files.files === 1 ? at : read;
  return Math.max(samples, Math.round((samples * files.bytes) / Math.max(done, 1)));
}

/** Counts as samples go by. */
class Tally {
  readonly #tokenizer: TextTokenizer;
  readonly #sides: number[] = [];
  readonly #words: number[] = [];
  readonly #tokens: number[] = [];
  readonly #ids = new Set<number>();
  readonly #captions = new Set<string>();
  readonly #pictures = new Set<string>();
  readonly #groups = Object.fromEntries(SPLIT_BY.map((by) => [by, new Grouping()])) as Record<SplitBy, Grouping>;
  looked = 0;
  #withPicture = 0;
  #withCaption = 0;
  #withBoth = 0;
  #texts = 0;

  constructor(tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
  }

  add(sample: Sample): void {
    const { image, texts = [] } = sample;
    this.looked++;
    if (image) {
      this.#withPicture++;
      const { width, height } = readImageHeader(image) ?? {};
      if (width !== undefined && height !== undefined) this.#sides.push(Math.min(width, height));
      this.#pictures.add(createHash("sha256").update(image).digest("base64"));
    }
    if (texts.length > 0) this.#withCaption++;
    if (image && texts.length > 0) this.#withBoth++;
    this.#texts += texts.length;
    for (const text of texts) {
      const ids = this.#tokenizer.ids(text);
      this.#words.push(text.split(/\s+/).filter(Boolean).length);
      this.#tokens.push(ids.length + 2);
      for (const id of ids) this.#ids.add(id);
      this.#captions.add(normalCaption(text));
    }
    for (const by of SPLIT_BY) this.#groups[by].add(marksOf(sample, by));
  }

  result(): Omit<Survey, "name" | "total" | "whole" | "bad" | "notes"> {
    return {
      looked: this.looked,
      pictures: this.#withPicture,
      captions: this.#withCaption,
      pairs: this.#withBoth,
      side: rangeOf(this.#sides),
      words: rangeOf(this.#words),
      tokens: rangeOf(this.#tokens),
      entries: this.#ids.size,
      distinctCaptions: this.#captions.size,
      repeatedPictures: this.#withPicture - this.#pictures.size,
      captionsPerPicture: this.#withCaption === 0 ? 0 : this.#texts / this.#withCaption,
      groups: this.#groups,
    };
  }
}

function rangeOf(values: readonly number[]): Range | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { min: sorted[0]!, median: at(0.5), most: at(0.95), max: sorted.at(-1)! };
}
