/** Zero-shot retrieval with all captions of a picture, both ways. */
import type { FlavaModel, Picture } from "../../api/index.ts";
import type { Sample, Source } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { checkFinite, type Interval, recallIntervals } from "../../evaluators/index.ts";
import { RECALLS, type Recalls, recalls, retrieval } from "../../evaluators/retrieval.ts";
import { RERANKED } from "../results.ts";
import { type Reranked, requireMatching, rerank } from "./rerank.ts";
import { pictured, type Refused, type StreamOptions } from "./streams.ts";

/** Recalls, the mean over the sources. */
export interface RetrievalResult {
  /**
   * image_retrieval_recall@k and text_retrieval_recall@k in 0..1: CLIP_benchmark's names. With `rerank` the same once more with
   * `reranked_` before them.
   */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of each of them: queries of one concept, such as the captions of a picture, are drawn together. */
  readonly intervals: Readonly<Record<string, Interval>>;
  /** The recalls of a random order. */
  readonly chance: Readonly<Record<string, number>>;
  readonly samples: number;
  readonly captions: number;
  /** What re-ranking took. */
  readonly reranked?: { readonly k: number; readonly pairs: number; readonly seconds: number } | undefined;
  readonly refused: readonly Refused[];
}

/** Who hears of progress; seed of the intervals; how many of the first are put in order by the matching head, none unless given. */
export interface RetrievalOptions extends StreamOptions {
  readonly seed?: number | undefined;
  readonly rerank?: number | undefined;
  /** Called with the number of pictures whose first candidates are compared anew. */
  readonly onReranked?: ((done: number) => void) | undefined;
}

/**
 * Each source is a gallery of its own: all its captions are candidates for each of its pictures, and the other way. A hit is any caption of
 * the picture. Samples that name a concept count one caption for each concept, as there a caption belongs to several pictures. Throws
 * CheckpointError where a model without a matching head is to re-rank, DataError for embeddings that are no numbers.
 */
export async function zeroShotRetrieval(
  model: FlavaModel,
  sources: readonly Source[],
  options: RetrievalOptions = {},
): Promise<RetrievalResult> {
  const { seed, rerank: k } = options;
  if (k !== undefined) requireMatching(model);
  const found: Ranked[] = [];
  const refused: Refused[] = [];
  for (const source of sources) {
    const samples = found.reduce((sum, { concepts }) => sum + concepts.text.length, 0);
    const progress = {
      ...options,
      onProgress: (done: number) => options.onProgress?.(samples + done),
      onReranked: (done: number) => options.onReranked?.(samples + done),
    };
    found.push(await rankedGallery(model, source, refused, progress));
  }
  const plain = figures(found, ({ ranks }) => ranks, seed);
  const anew = k === undefined ? undefined : figures(found, ({ reranked }) => reranked!.ranks, seed);
  const sum = (of: (one: Ranked) => number): number => found.reduce((total, one) => total + of(one), 0);
  return {
    metrics: { ...plain.metrics, ...(anew && renamed(anew.metrics)) },
    intervals: { ...plain.intervals, ...(anew && renamed(anew.intervals)) },
    chance: named((of, at) => sum(({ chance }) => chance[of][at]) / found.length),
    samples: sum(({ concepts }) => concepts.text.length),
    captions: sum(({ concepts }) => concepts.image.length),
    ...(k !== undefined && {
      reranked: {
        k,
        pairs: sum(({ reranked }) => reranked!.pairs),
        seconds: Math.round(10 * sum(({ seconds }) => seconds)) / 10,
      },
    }),
    refused,
  };
}

/** By what is looked for. */
export interface Both<T> {
  readonly text: T;
  readonly image: T;
}

/** What became of a gallery's queries. */
interface Ranked {
  readonly ranks: Both<Int32Array>;
  readonly chance: Both<Recalls>;
  /** Of the queries. */
  readonly concepts: Both<readonly string[]>;
  readonly reranked: Reranked | undefined;
  /** Of re-ranking. */
  readonly seconds: number;
}

async function rankedGallery(
  model: FlavaModel,
  source: Source,
  refused: Refused[],
  options: RetrievalOptions,
): Promise<Ranked> {
  const { signal, rerank: k } = options;
  const { captions, good, ...images } = await embedded(model, source, refused, options);
  const texts = { embeds: await embedTexts(model, captions, signal), concepts: captions.map(({ concept }) => concept) };
  for (const [what, { data, shape }] of [["pictures", images.embeds] as const, ["captions", texts.embeds] as const])
    checkFinite(`${source.name}: embeddings of ${what}`, data, shape[1]);
  const { ranks, chance } = await retrieval(model.device, images, texts);
  const started = performance.now();
  const reranked =
    k === undefined
      ? undefined
      : await rerank(
          model,
          { images, texts, captions: captions.map(({ text }) => text), ranks },
          again(source, good, signal),
          { k, signal, onProgress: options.onReranked },
        );
  const seconds = (performance.now() - started) / 1000;
  return { ranks, chance, concepts: { text: images.concepts, image: texts.concepts }, reranked, seconds };
}

/** Recalls, the mean over galleries, and their intervals. */
export function figures<R extends { readonly concepts: Both<readonly string[]> }>(
  found: readonly R[],
  ranksOf: (one: R) => Both<Int32Array>,
  seed: number | undefined,
): { readonly metrics: Record<string, number>; readonly intervals: Record<string, Interval> } {
  const of = (way: "text" | "image") => found.map((one) => ({ ranks: ranksOf(one)[way], concepts: one.concepts[way] }));
  const recall = {
    text: of("text").map(({ ranks }) => recalls(ranks)),
    image: of("image").map(({ ranks }) => recalls(ranks)),
  };
  const intervals = { text: recallIntervals(of("text"), { seed }), image: recallIntervals(of("image"), { seed }) };
  return {
    metrics: named((way, k) => recall[way].reduce((sum, one) => sum + one[k], 0) / found.length),
    intervals: named((way, k) => intervals[way][k]),
  };
}

/** By the names of CLIP_benchmark. */
export function named<T>(value: (way: "text" | "image", k: (typeof RECALLS)[number]) => T): Record<string, T> {
  return Object.fromEntries(
    RECALLS.flatMap((k) => (["image", "text"] as const).map((way) => [`${way}_retrieval_recall@${k}`, value(way, k)])),
  );
}

const renamed = <T>(values: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${RERANKED}${name}`, value]));

/** The pictures that have a row, read once more. */
async function* again(
  source: Source,
  good: readonly boolean[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Sample & Picture> {
  let i = 0;
  for await (const picture of pictured(source, suits, [], { signal })) if (good[i++]) yield picture;
}

const suits = ({ texts }: Sample): string | undefined => (texts?.length ? undefined : "the caption is missing");

interface Caption {
  readonly text: string;
  readonly concept: string;
}

/** Pictures as rows, and the captions that belong to them; no picture is kept. `good`: which pictures have a row. */
async function embedded(model: FlavaModel, source: Source, refused: Refused[], options: StreamOptions) {
  const [rows, concepts, good]: [Float32Array[], string[], boolean[]] = [[], [], []];
  const captions: Caption[] = [];
  const known = new Set<string>();
  const pictures = pictured(source, suits, refused, options);
  for await (const { input, embeds, error } of model.embedImages(pictures, {
    onError: "yield",
    signal: options.signal,
  })) {
    good.push(!error);
    if (error) {
      refused.push({ key: input.key, reason: error.message.split("\n")[0]! });
      continue;
    }
    const said = input.meta?.concept;
    const concept = said === undefined ? input.key : String(said);
    rows.push(embeds);
    concepts.push(concept);
    const own = said === undefined ? input.texts! : known.has(concept) ? [] : input.texts!.slice(0, 1);
    known.add(concept);
    captions.push(...own.map((text) => ({ text, concept })));
    options.onProgress?.(rows.length);
  }
  if (rows.length === 0)
    throw new DataError(
      `${source.name}: expected pictures with captions, got none`,
      refused[0] && `${refused[0].key}: ${refused[0].reason}`,
    );
  return { embeds: joined(rows), concepts, captions, good };
}

/** Captions that are embedded at once. */
const CAPTIONS_AT_ONCE = 4096;

async function embedTexts(model: FlavaModel, captions: readonly Caption[], signal?: AbortSignal) {
  const rows: Float32Array[] = [];
  for (let i = 0; i < captions.length; i += CAPTIONS_AT_ONCE) {
    const texts = captions.slice(i, i + CAPTIONS_AT_ONCE).map(({ text }) => text);
    const { text_embeds } = await model.encodeText(texts, { outputs: ["text_embeds"], signal });
    for (let r = 0; r < texts.length; r++) rows.push(text_embeds.row(r).slice());
  }
  return joined(rows);
}

function joined(rows: readonly Float32Array[]) {
  const E = rows[0]!.length;
  const data = new Float32Array(rows.length * E);
  for (const [i, row] of rows.entries()) data.set(row, i * E);
  return { dtype: "float32", shape: [rows.length, E], data } as const;
}
