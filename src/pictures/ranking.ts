/** Held-out captions ranked for a picture and pictures for a caption: the candidates and scores of the reported recalls. */
import { FlavaModel } from "../api/index.ts";
import {
  type Candidate,
  type EvaluationContext,
  galleries,
  type Pair,
  ranks,
  scores,
  topK,
} from "../evaluators/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Candidates for one query. */
export interface Ranked<C> {
  /** Best first; `right` where it is of the query's concept. */
  readonly hits: readonly { readonly candidate: C; readonly score: number; readonly right: boolean }[];
  /** The best right candidate, and its place among all, counted from 1; equal scores count against it. */
  readonly answer: { readonly candidate: C; readonly rank: number };
  /** How many candidates there are. */
  readonly among: number;
}

/** Retrieval on held-out pairs, query by query. */
export interface Ranking {
  /** The `k` captions that score highest for the picture of a pair. */
  captions(query: Pair, k: number): Ranked<Candidate>;
  /** The caption that stands for a pair, and the `k` pictures that score highest for it. */
  pictures(query: Pair, k: number): Ranked<Pair> & { readonly caption: string };
}

interface Embedded {
  readonly pairs: readonly Pair[];
  readonly texts: readonly Candidate[];
  /** (I, E) and (T, E), rows of unit length. */
  readonly images: Tensor<"float32">;
  readonly captions: Tensor<"float32">;
}

/** Embeds all pairs. Throws CheckpointError where the model has no contrastive projections. */
export async function rank(context: EvaluationContext, pairs: readonly Pair[]): Promise<Ranking> {
  const asked = FlavaModel.of(context);
  try {
    const groups = new Map<string, Embedded>();
    for (const { pairs: members, texts } of galleries(pairs))
      groups.set(members[0]!.group, await embed(asked, members, texts, context.signal));
    const groupOf = ({ group }: Pair): Embedded => groups.get(group)!;
    return {
      captions: (query, k) => captionsOf(groupOf(query), query, k),
      pictures: (query, k) => picturesOf(groupOf(query), query, k),
    };
  } finally {
    asked.dispose();
  }
}

async function embed(
  asked: FlavaModel,
  pairs: readonly Pair[],
  texts: readonly Candidate[],
  signal: AbortSignal | undefined,
): Promise<Embedded> {
  const { image_embeds } = await asked.encodeImage(pairs, { outputs: ["image_embeds"], signal });
  const wordings = texts.map(({ text }) => text);
  const { text_embeds } = await asked.encodeText(wordings, { outputs: ["text_embeds"], signal });
  return { pairs, texts, images: image_embeds, captions: text_embeds };
}

function captionsOf({ pairs, texts, images, captions }: Embedded, query: Pair, k: number): Ranked<Candidate> {
  return ranked(scores(row(images, pairs.indexOf(query)), captions), texts, query.concept, k);
}

function picturesOf(
  { pairs, texts, images, captions }: Embedded,
  query: Pair,
  k: number,
): ReturnType<Ranking["pictures"]> {
  const at = texts.findIndex(({ concept }) => concept === query.concept);
  return { ...ranked(scores(row(captions, at), images), pairs, query.concept, k), caption: texts[at]!.text };
}

function ranked<C extends { readonly concept: string }>(
  scored: Float32Array,
  candidates: readonly C[],
  concept: string,
  k: number,
): Ranked<C> {
  const isRight = (c: number): boolean => candidates[c]!.concept === concept;
  const order = topK(scored, candidates.length);
  const [ahead] = ranks(scored, candidates.length, (_, c) => isRight(c));
  return {
    hits: order.slice(0, k).map((c) => ({ candidate: candidates[c]!, score: scored[c]!, right: isRight(c) })),
    answer: { candidate: candidates[order.find(isRight)!]!, rank: ahead! + 1 },
    among: candidates.length,
  };
}

function row({ dtype, shape, data }: Tensor<"float32">, i: number): Tensor<"float32"> {
  const E = shape[1]!;
  return { dtype, shape: [1, E], data: data.subarray(i * E, (i + 1) * E) };
}
