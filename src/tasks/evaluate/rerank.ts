/** Retrieval in two steps: dot products find k candidates, and the matching head of the multimodal encoder puts those in order. */
import type { FlavaModel } from "../../api/index.ts";
import { CheckpointError } from "../../errors.ts";
import { scoreBlocks, topK } from "../../evaluators/retrieval.ts";
import type { Tensor } from "../../tensor/index.ts";

/** A gallery: rows of length 1, what each is about, and what the rows of captions say. */
export interface RankedGallery {
  readonly images: { readonly embeds: Tensor<"float32">; readonly concepts: readonly string[] };
  readonly texts: { readonly embeds: Tensor<"float32">; readonly concepts: readonly string[] };
  readonly captions: readonly string[];
  /** Ranks by dot products. */
  readonly ranks: { readonly text: Int32Array; readonly image: Int32Array };
}

/** Ranks of the queries anew, and how many pairs went through the multimodal encoder. */
export interface Reranked {
  readonly ranks: RankedGallery["ranks"];
  readonly pairs: number;
}

/** How many are put in order, and who hears of it. */
export interface RerankOptions {
  readonly k: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of pictures done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Throws CheckpointError for a model without a matching head: before any picture is read. */
export function requireMatching(model: FlavaModel): void {
  if (model.gives("itm_logits")) return;
  throw new CheckpointError(
    "re-ranking: expected a multimodal encoder with a matching head, got a model without",
    "leave --rerank out",
  );
}

/**
 * `pictures` are those of the rows once more, in their order: none is kept, and of the pairs only a number each, so memory grows by k
 * numbers for each query. A pair that both directions ask for is compared once. Right candidates beyond the first k stay where they
 * were; ties count against us, as in `ranks`.
 */
export async function rerank(
  model: FlavaModel,
  gallery: RankedGallery,
  pictures: AsyncIterable<Parameters<FlavaModel["match"]>[0]>,
  options: RerankOptions,
): Promise<Reranked> {
  const { images, texts, captions, ranks } = gallery;
  const first = {
    text: await firstOf(model, images.embeds, texts.embeds, options.k),
    image: await firstOf(model, texts.embeds, images.embeds, options.k),
  };
  const asked = askedOf(first, images.concepts.length);
  const scores = await matched(model, pictures, { asked, captions, ...options });
  const score = (image: number, text: number): number => scores[image]![asked[image]!.indexOf(text)]!;
  return {
    pairs: asked.reduce((sum, { length }) => sum + length, 0),
    ranks: {
      text: reordered(ranks.text, first.text, (q, c) => [images.concepts[q] === texts.concepts[c], score(q, c)]),
      image: reordered(ranks.image, first.image, (q, c) => [texts.concepts[q] === images.concepts[c], score(c, q)]),
    },
  };
}

/** The first k candidates of each query. */
async function firstOf(
  model: FlavaModel,
  queries: Tensor<"float32">,
  candidates: Tensor<"float32">,
  k: number,
): Promise<number[][]> {
  const count = candidates.shape[0]!;
  const found: number[][] = [];
  for await (const [, scored] of scoreBlocks(model.device, queries, candidates))
    for (let at = 0; at < scored.length; at += count) found.push(topK(scored.subarray(at, at + count), k));
  return found;
}

/** The captions that each picture is compared with: its own first ones, and those that have it among theirs. */
function askedOf(
  { text, image }: { readonly text: number[][]; readonly image: number[][] },
  pictures: number,
): number[][] {
  const asked = Array.from({ length: pictures }, (_, i) => new Set(text[i]));
  for (const [caption, found] of image.entries()) for (const picture of found) asked[picture]!.add(caption);
  return asked.map((captions) => [...captions]);
}

interface Matching extends RerankOptions {
  readonly asked: readonly (readonly number[])[];
  readonly captions: readonly string[];
}

/** A score for each caption that a picture is compared with. */
async function matched(
  model: FlavaModel,
  pictures: AsyncIterable<Parameters<FlavaModel["match"]>[0]>,
  { asked, captions, signal, onProgress }: Matching,
): Promise<number[][]> {
  const scores: number[][] = [];
  for await (const picture of pictures) {
    const texts = asked[scores.length]!.map((caption) => captions[caption]!);
    scores.push(texts.length === 0 ? [] : await model.match(picture, texts, { signal }));
    onProgress?.(scores.length);
  }
  return scores;
}

function reordered(
  ranks: Int32Array,
  first: readonly (readonly number[])[],
  judge: (query: number, candidate: number) => readonly [right: boolean, score: number],
): Int32Array {
  return ranks.map((rank, q) => {
    const judged = first[q]!.map((candidate) => judge(q, candidate));
    const best = Math.max(...judged.flatMap(([right, score]) => (right && !Number.isNaN(score) ? [score] : [])));
    if (!judged.some(([right]) => right)) return rank;
    return judged.filter(([right, score]) => !right && !(score < best)).length;
  });
}
