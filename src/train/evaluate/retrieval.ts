/** Retrieval measured exactly: every query against every candidate, as CLIP_benchmark does (names of its metrics too). */
import { ShapeError } from "../../errors.ts";
import { formatShape, type Tensor } from "../../tensor/index.ts";

/** Cosine scores of rows (Q, E) against rows (C, E), both of unit length: (Q, C), row-major. */
export function scores(queries: Tensor<"float32">, candidates: Tensor<"float32">): Float32Array {
  const [Q, E] = queries.shape as [number, number];
  const [C, E2] = candidates.shape as [number, number];
  if (E !== E2)
    throw new ShapeError(
      `scores: widths differ: queries ${formatShape(queries.shape)}, candidates ${formatShape(candidates.shape)}`,
    );
  const out = new Float32Array(Q * C);
  for (let q = 0; q < Q; q++)
    for (let c = 0; c < C; c++) {
      let dot = 0;
      for (let e = 0; e < E; e++) dot += queries.data[q * E + e]! * candidates.data[c * E + e]!;
      out[q * C + c] = dot;
    }
  return out;
}

/**
 * For each query, how many wrong candidates score at least as high as its best right one: 0 is a hit at 1. Ties count
 * against us, so a model that gives everything one score retrieves nothing.
 */
export function ranks(
  scored: Float32Array,
  candidates: number,
  isRight: (query: number, candidate: number) => boolean,
): Int32Array {
  const queries = scored.length / candidates;
  return Int32Array.from({ length: queries }, (_, q) => {
    const row = scored.subarray(q * candidates, (q + 1) * candidates);
    let best = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < candidates; c++) if (isRight(q, c) && row[c]! > best) best = row[c]!;
    let ahead = 0;
    for (let c = 0; c < candidates; c++) if (!isRight(q, c) && row[c]! >= best) ahead++;
    return ahead;
  });
}

/** Share of queries with a right candidate among the first k. */
export const recallAt = (rank: Int32Array, k: number): number => rank.filter((r) => r < k).length / rank.length;

/** Indexes of the k highest scores of a row, best first. */
export function topK(row: Float32Array, k: number): number[] {
  return [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, k);
}

export interface Retrieval {
  /** Image → text, text → image: recall at 1, 5, 10. */
  readonly text_retrieval_recall: Readonly<Record<1 | 5 | 10, number>>;
  readonly image_retrieval_recall: Readonly<Record<1 | 5 | 10, number>>;
  /** Recall at 1 of a blind guess, each way. */
  readonly chance: { readonly text: number; readonly image: number };
}

/**
 * Recall both ways. `concept` says what an image and a caption are about; equal concepts belong together. Several images may
 * share a concept (one in each style); captions are one a concept.
 */
export function retrieval(
  images: { embeds: Tensor<"float32">; concepts: readonly string[] },
  texts: { embeds: Tensor<"float32">; concepts: readonly string[] },
): Retrieval {
  const [I, T] = [images.concepts.length, texts.concepts.length];
  const byImage = scores(images.embeds, texts.embeds); // (I, T)
  const byText = new Float32Array(T * I);
  for (let i = 0; i < I; i++) for (let t = 0; t < T; t++) byText[t * I + i] = byImage[i * T + t]!;
  const imageRanks = ranks(byImage, T, (i, t) => images.concepts[i] === texts.concepts[t]);
  const textRanks = ranks(byText, I, (t, i) => images.concepts[i] === texts.concepts[t]);
  const at = (rank: Int32Array): Record<1 | 5 | 10, number> => ({
    1: recallAt(rank, 1),
    5: recallAt(rank, 5),
    10: recallAt(rank, 10),
  });
  return {
    text_retrieval_recall: at(imageRanks),
    image_retrieval_recall: at(textRanks),
    chance: { text: chance(images.concepts, texts.concepts), image: chance(texts.concepts, images.concepts) },
  };
}

/** Expected recall at 1 of a uniform guess: the mean share of right candidates. */
function chance(queries: readonly string[], candidates: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const c of candidates) counts.set(c, (counts.get(c) ?? 0) + 1);
  return queries.reduce((sum, q) => sum + (counts.get(q) ?? 0) / candidates.length, 0) / queries.length;
}
