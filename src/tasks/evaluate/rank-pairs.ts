/** Retrieval without a contrastive space: every picture of a gallery with every caption through the model, ordered by what it says of each pair. */
import type { FlavaModel } from "../../api/index.ts";
import type { Source } from "../../data/index.ts";
import { CheckpointError, DataError } from "../../errors.ts";
import { checkFinite, type Gallery, galleries, type Interval, ranks, readPairs } from "../../evaluators/index.ts";
import { chance } from "../../evaluators/retrieval.ts";
import { permutation, random } from "../../tensor/index.ts";
import { type Both, figures, named } from "./retrieve.ts";
import type { Refused } from "./streams.ts";

/** Recalls, the mean over galleries. */
export interface PairRetrievalResult {
  /** image_retrieval_recall@k and text_retrieval_recall@k in 0..1. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly intervals: Readonly<Record<string, Interval>>;
  /** The recalls of a random order. */
  readonly chance: Readonly<Record<string, number>>;
  /** The result that pairs are ordered by. */
  readonly by: PairScore;
  readonly samples: number;
  /** Of all galleries: concepts that were ranked, and how many there are. */
  readonly concepts: { readonly ranked: number; readonly of: number };
  /** Pairs that went through the model. */
  readonly pairs: number;
  readonly refused: readonly Refused[];
}

/** What a pair's score is made of. */
export type PairScore = "itm_logits" | "caption_log_likelihood";

/** Seed of the intervals, and who hears of progress. */
export interface PairRetrievalOptions {
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of pictures that are done, and of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

interface Ranked {
  readonly ranks: Both<Int32Array>;
  readonly concepts: Both<readonly string[]>;
}

/** Concepts of a gallery: the work grows with their square. */
const MOST = 48;

/**
 * Of larger galleries `MOST` concepts are drawn by the seed, with a picture each. Throws CheckpointError for a model that says nothing of pairs, DataError for
 * scores that are no numbers.
 */
export async function pairRetrieval(
  model: FlavaModel,
  sources: readonly Source[],
  { seed = 0, signal, onProgress }: PairRetrievalOptions = {},
): Promise<PairRetrievalResult> {
  const by = scoreOf(model);
  const refused: Refused[] = [];
  const whole: Gallery[] = [];
  for (const source of sources) whole.push(...(await galleriesOf(source, refused, signal)));
  const all = whole.map((gallery) => drawn(gallery, seed));
  if (all.every(({ texts }) => texts.length < 2))
    throw new DataError("retrieval by pairs: expected two captions or more in a gallery, got fewer");
  const total = all.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const found: Ranked[] = [];
  let done = 0;
  for (const gallery of all) found.push(await ranked(model, gallery, by, signal, () => onProgress?.(++done, total)));
  const { metrics, intervals } = figures(found, (one) => one.ranks, seed);
  const guess = found.map(({ concepts: { text, image } }) => ({
    text: chance(text, image),
    image: chance(image, text),
  }));
  return {
    ...{ metrics, intervals, by, refused },
    chance: named((way, k) => guess.reduce((sum, one) => sum + one[way][k], 0) / guess.length),
    samples: total,
    concepts: { ranked: countConcepts(all), of: countConcepts(whole) },
    pairs: all.reduce((sum, { pairs, texts }) => sum + pairs.length * texts.length, 0),
  };
}

function scoreOf(model: FlavaModel): PairScore {
  const by = (["itm_logits", "caption_log_likelihood"] as const).find((name) => model.gives(name));
  if (by) return by;
  throw new CheckpointError(
    `retrieval by pairs: expected a model with a matching head, or one that writes captions, got ${model.model.family} without one`,
    model.model.lacks?.itm_logits,
  );
}

const countConcepts = (all: readonly Gallery[]): number =>
  all.reduce((sum, { pairs }) => sum + new Set(pairs.map(({ concept }) => concept)).size, 0);

async function galleriesOf(source: Source, refused: Refused[], signal?: AbortSignal): Promise<Gallery[]> {
  const pairs = await readPairs(source, {
    maxPairs: Number.POSITIVE_INFINITY,
    signal,
    onBad: ({ key, reason, kept }) => {
      if (!kept) refused.push({ key, reason });
    },
  });
  return galleries(pairs);
}

/** The gallery itself where it is small; else pictures of `MOST` concepts, one each, and the captions of those. */
function drawn({ pairs, texts }: Gallery, seed: number): Gallery {
  const concepts = [...new Map(pairs.map((pair) => [pair.concept, pair])).values()];
  if (concepts.length <= MOST) return { pairs, texts };
  const order = permutation(concepts.length, random(seed, "pair-gallery"));
  const chosen = [...order].slice(0, MOST).map((i) => concepts[i]!);
  const named = new Set(chosen.map(({ concept }) => concept));
  return { pairs: chosen, texts: texts.filter(({ concept }) => named.has(concept)) };
}

async function ranked(
  model: FlavaModel,
  { pairs, texts }: Gallery,
  by: PairScore,
  signal: AbortSignal | undefined,
  onPicture: () => void,
): Promise<Ranked> {
  const captions = texts.map(({ text }) => text);
  const [P, C] = [pairs.length, texts.length];
  const scores = { text: new Float32Array(P * C), image: new Float32Array(C * P) };
  for (const [i, picture] of pairs.entries()) {
    const own = await scoresOf(model, picture, captions, by, signal);
    for (const [c, score] of own.entries()) {
      scores.text[i * C + c] = score;
      scores.image[c * P + i] = score;
    }
    onPicture();
  }
  const concepts = { text: pairs.map(({ concept }) => concept), image: texts.map(({ concept }) => concept) };
  const right = (picture: number, caption: number): boolean => concepts.text[picture] === concepts.image[caption];
  return {
    ranks: { text: ranks(scores.text, C, right), image: ranks(scores.image, P, (c, p) => right(p, c)) },
    concepts,
  };
}

/** How much more the head says yes than no, or the mean log likelihood of the caption's tokens: one number a caption. */
async function scoresOf(
  model: FlavaModel,
  { key, image }: Gallery["pairs"][number],
  captions: readonly string[],
  by: PairScore,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const found = (await model.encodePair({ key, image }, captions, { outputs: [by], signal }))[by];
  checkFinite(`retrieval by pairs: ${by} of ${key}`, found.data as Float32Array, by === "itm_logits" ? 2 : 1);
  if (by === "caption_log_likelihood") return Array.from(found.data as Float32Array);
  return captions.map((_, c) => {
    const [no, yes] = found.row(c) as unknown as [number, number];
    return yes - no;
  });
}
