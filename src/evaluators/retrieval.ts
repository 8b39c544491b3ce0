/** Retrieval measured exactly: every query against every candidate, as CLIP_benchmark does (names of its metrics too). */
import { DataError, ShapeError } from "../errors.ts";
import { graph, input, matmul } from "../graph/index.ts";
import { compile, type Device } from "../runtime/index.ts";
import { formatShape, type Tensor } from "../tensor/index.ts";

/** Cosine scores of rows (Q, E) against rows (C, E), both of unit length: (Q, C), row-major. */
export function scores(queries: Tensor<"float32">, candidates: Tensor<"float32">): Float32Array {
  const [Q, E] = queries.shape as [number, number];
  const [C] = candidates.shape as [number, number];
  checkWidths(queries, candidates);
  const out = new Float32Array(Q * C);
  for (let q = 0; q < Q; q++)
    for (let c = 0; c < C; c++) {
      let dot = 0;
      for (let e = 0; e < E; e++) dot += queries.data[q * E + e]! * candidates.data[c * E + e]!;
      out[q * C + c] = dot;
    }
  return out;
}

function checkWidths(queries: Tensor, candidates: Tensor): void {
  if (queries.shape[1] !== candidates.shape[1])
    throw new ShapeError(
      `scores: widths differ: queries ${formatShape(queries.shape)}, candidates ${formatShape(candidates.shape)}`,
    );
}

/**
 * For each query, how many wrong candidates score at least as high as its best right one: 0 is a hit at 1. Ties count
 * against us, so a model that gives everything one score retrieves nothing; so do scores that are no number.
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
    for (let c = 0; c < candidates; c++) if (!isRight(q, c) && !(row[c]! < best)) ahead++;
    return ahead;
  });
}

/** Share of queries with a right candidate among the first k. */
export const recallAt = (rank: Int32Array, k: number): number => rank.filter((r) => r < k).length / rank.length;

/** Indexes of the k highest scores of a row, best first; of equal ones the first. */
export function topK(row: Float32Array, k: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < row.length; i++) {
    if (best.length === k && !(row[i]! > row[best[k - 1]!]!)) continue;
    let at = best.length;
    while (at > 0 && row[i]! > row[best[at - 1]!]!) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

/** The k of recall@k. */
export const RECALLS = [1, 5, 10] as const;

/** Recall@k by k: shares in 0..1. */
export type Recalls = Readonly<Record<(typeof RECALLS)[number], number>>;

/** Rows of unit length (N, E), and what each is about; equal concepts belong together. */
export interface Embedded {
  readonly embeds: Tensor<"float32">;
  readonly concepts: readonly string[];
}

/** Recalls in both directions. */
export interface Retrieval {
  /** Image → text, text → image: recall at 1, 5, 10. */
  readonly text_retrieval_recall: Recalls;
  readonly image_retrieval_recall: Recalls;
  /** What `ranks` says of each query: images, which look for texts; texts, which look for images. */
  readonly ranks: { readonly text: Int32Array; readonly image: Int32Array };
  /** The recalls of a random order of the candidates, each way. */
  readonly chance: { readonly text: Recalls; readonly image: Recalls };
}

/**
 * Recall both ways. A hit is any candidate of the query's concept: any of an image's captions (Karpathy's protocol on COCO),
 * any picture of a thing. Throws DataError for rows that are not of length 1: `getImageFeatures` gives such, and their products are no cosines.
 */
export async function retrieval(device: Device, images: Embedded, texts: Embedded): Promise<Retrieval> {
  for (const { embeds } of [images, texts]) checkUnit(embeds);
  const rank = { text: await ranksOf(device, images, texts), image: await ranksOf(device, texts, images) };
  return {
    text_retrieval_recall: recalls(rank.text),
    image_retrieval_recall: recalls(rank.image),
    ranks: rank,
    chance: { text: chance(images.concepts, texts.concepts), image: chance(texts.concepts, images.concepts) },
  };
}

/** Looks at the first row; what is no number passes, and retrieves nothing. */
function checkUnit({ shape, data }: Tensor<"float32">): void {
  const length = Math.hypot(...data.subarray(0, shape[1]!));
  if (Math.abs(length - 1) > 0.02)
    throw new DataError(
      `retrieval: expected rows of length 1, got one of ${length.toPrecision(3)}`,
      "image_embeds and text_embeds have length 1; image_features and text_features don't",
    );
}

/** Queries that are scored together: no more than these rows of the score matrix are held. */
const BLOCK = 1024;

/** Recall at each k. */
export const recalls = (rank: Int32Array): Recalls => atEach((k) => recallAt(rank, k));

async function ranksOf(device: Device, queries: Embedded, candidates: Embedded): Promise<Int32Array> {
  const numbers = new Map([...new Set(candidates.concepts)].map((concept, i) => [concept, i]));
  const wanted = Int32Array.from(queries.concepts, (concept) => numbers.get(concept) ?? -1);
  const found = Int32Array.from(candidates.concepts, (concept) => numbers.get(concept)!);
  const rank = new Int32Array(wanted.length);
  for await (const [q, scored] of scoreBlocks(device, queries.embeds, candidates.embeds))
    rank.set(
      ranks(scored, found.length, (i, c) => wanted[q + i] === found[c]),
      q,
    );
  return rank;
}

/** `scores`, on the device, some queries at a time with the number of the first. */
export async function* scoreBlocks(
  device: Device,
  queries: Tensor<"float32">,
  candidates: Tensor<"float32">,
): AsyncGenerator<readonly [first: number, scores: Float32Array]> {
  const [Q, E] = queries.shape as [number, number];
  const [C] = candidates.shape as [number, number];
  checkWidths(queries, candidates);
  const rows = Math.min(BLOCK, Q);
  const product = graph("scores", { scores: matmul(input("queries", [rows, E]), input("candidates", [E, C])) });
  using executable = await compile(product, device, { weights: { candidates: transposed(candidates) } });
  for (let q = 0; q < Q; q += rows) {
    const data = new Float32Array(rows * E); // rows past the last query are 0, and cut off
    data.set(queries.data.subarray(q * E, (q + rows) * E));
    const results = await executable.run({ queries: { dtype: "float32", shape: [rows, E], data } });
    yield [q, (results.scores!.data as Float32Array).subarray(0, Math.min(rows, Q - q) * C)];
  }
}

function transposed({ shape, data }: Tensor<"float32">): Tensor<"float32"> {
  const [rows, columns] = shape as [number, number];
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return { dtype: "float32", shape: [columns, rows], data: out };
}

/** Expected recall of a random order: the chance that one of r right candidates is among the first k of C. */
export function chance(queries: readonly string[], candidates: readonly string[]): Recalls {
  const right = new Map<string, number>();
  for (const c of candidates) right.set(c, (right.get(c) ?? 0) + 1);
  const C = candidates.length;
  return atEach((k) => queries.reduce((sum, q) => sum + hitAmong(k, right.get(q) ?? 0, C), 0) / queries.length);
}

/** 1 − (C−r choose k) / (C choose k). */
function hitAmong(k: number, r: number, C: number): number {
  let miss = 1;
  for (let i = 0; i < Math.min(k, C); i++) miss *= Math.max(0, C - r - i) / (C - i);
  return 1 - miss;
}

const atEach = (recall: (k: number) => number): Recalls => ({ 1: recall(1), 5: recall(5), 10: recall(10) });
