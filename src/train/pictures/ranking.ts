/** Held-out captions ranked for a picture and pictures for a caption, by the cosine of FLAVA's contrastive projections. */
import { graph } from "../../graph/index.ts";
import { imageGraph, type ModelGraph, textGraph } from "../../models/flava/index.ts";
import { compile } from "../../runtime/index.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import type { EvaluationContext } from "../evaluate/context.ts";
import { imageFeeds, type Pair, textFeeds } from "../evaluate/pair-set.ts";
import { ranks, scores, topK } from "../evaluate/retrieval.ts";

export interface Hit {
  readonly pair: Pair;
  readonly score: number;
  /** Of the query's concept. */
  readonly right: boolean;
}

export interface Ranked {
  /** Best first. */
  readonly hits: readonly Hit[];
  /** The best right candidate and its place among all, counted from 1; equal scores count against it. */
  readonly answer: { readonly pair: Pair; readonly rank: number };
  /** How many candidates there are. */
  readonly candidates: number;
}

/** What stands first for one pair's picture or caption: the first `k` of its group. */
export interface Ranking {
  captions(query: Pair, k: number): Ranked;
  pictures(query: Pair, k: number): Ranked;
}

const BATCH = 32;

/** Embeds all pairs. Candidates are those of the query's group, and no caption stands twice for one concept. */
export async function rank(context: EvaluationContext, pairs: readonly Pair[], textLength: number): Promise<Ranking> {
  const batch = Math.min(BATCH, pairs.length);
  const images = await embedded(context, imageGraph(context.model, { batch }), "image_embeds", pairs, (some) =>
    imageFeeds(context, some),
  );
  const texts = await embedded(context, textGraph(context.model, { batch, textLength }), "text_embeds", pairs, (some) =>
    textFeeds(
      context,
      some.map(({ caption }) => caption),
      textLength,
    ),
  );
  const distinct = firstOfEach(pairs, ({ group, concept, caption }) => JSON.stringify([group, concept, caption]));
  const one = (from: Tensor<"float32">, i: number) => {
    const E = from.shape[1]!;
    return tensor("float32", [1, E], from.data.subarray(i * E, (i + 1) * E));
  };
  return {
    captions: (query, k) => ranked(query, distinct, scores(one(images, pairs.indexOf(query)), texts), pairs, k),
    pictures: (query, k) => ranked(query, pairs, scores(one(texts, pairs.indexOf(query)), images), pairs, k),
  };
}

function ranked(query: Pair, from: readonly Pair[], row: Float32Array, pairs: readonly Pair[], k: number): Ranked {
  const candidates = from.filter(({ group }) => group === query.group);
  const scored = Float32Array.from(candidates, (pair) => row[pairs.indexOf(pair)]!);
  const isRight = (c: number): boolean => candidates[c]!.concept === query.concept;
  const best = topK(scored, candidates.length);
  const [place] = ranks(scored, candidates.length, (_, c) => isRight(c));
  return {
    hits: best.slice(0, k).map((c) => ({ pair: candidates[c]!, score: scored[c]!, right: isRight(c) })),
    answer: { pair: candidates[best.find(isRight)!]!, rank: place! + 1 },
    candidates: candidates.length,
  };
}

function firstOfEach<T>(list: readonly T[], key: (item: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const item of list) if (!seen.has(key(item))) seen.set(key(item), item);
  return [...seen.values()];
}

/** One output (B, E) of a graph for all pairs, (N, E). The last batch is filled up with the first pairs. */
async function embedded(
  { device, state, signal }: EvaluationContext,
  { graph: { name, outputs } }: ModelGraph,
  output: string,
  pairs: readonly Pair[],
  feeds: (some: readonly Pair[]) => Promise<Record<string, Tensor>> | Record<string, Tensor>,
): Promise<Tensor<"float32">> {
  const [batch, E] = outputs[output]!.shape as [number, number];
  const all = new Float32Array(pairs.length * E);
  using executable = await compile(graph(name, { [output]: outputs[output]! }), device, { state });
  for (let at = 0; at < pairs.length; at += batch) {
    const some = Array.from({ length: batch }, (_, i) => pairs[(at + i) % pairs.length]!);
    const given = Object.entries(await feeds(some)).filter(([input]) => executable.feeds.includes(input));
    const { [output]: rows } = await executable.run(Object.fromEntries(given), signal && { signal });
    const count = Math.min(batch, pairs.length - at);
    all.set((rows!.data as Float32Array).subarray(0, count * E), at * E);
  }
  return tensor("float32", [pairs.length, E], all);
}
