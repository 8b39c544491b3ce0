/**
 * Word–patch alignment: how far words and patches are from each other, by inexact proximal optimal transport (ViLT, arXiv:2102.03334 §3.2;
 * UNITER, arXiv:1909.11740 §3.2; IPOT, arXiv:1802.04307, algorithm 1).
 */
import {
  add,
  broadcastTo,
  cast,
  concat,
  constant,
  div,
  exp,
  matmul,
  maximum,
  minimum,
  mul,
  reshape,
  slice,
  stopGradient,
  sub,
  sum,
  swapLast,
  type Value,
} from "../graph/index.ts";
import { l2Normalize } from "../nn/index.ts";

/** States of words and of patches, and which of them count. */
export interface Aligned {
  /** (B, T, D). */
  readonly text: Value;
  /** (B, P, D). */
  readonly image: Value;
  /** (B, T): 1 where a token is a word, 0 at [CLS], [SEP] and padding. */
  readonly words: Value;
  /** (B, P): 1 where a patch belongs to the picture; undefined: all do. */
  readonly patches: Value | undefined;
}

export interface TransportOptions {
  /** Rounds of the plan; 50 in the published code. */
  readonly rounds?: number;
  /** Step size of the proximal point; 0.5 there. */
  readonly beta?: number;
}

export interface Transport {
  /** (B): Σ cost · plan, with the plan as it is. */
  readonly distances: Value;
  /** (B, P, T), without gradient: how much of each patch goes to each word; 0 where either does not count. */
  readonly plan: Value;
  /** (B, T, P): 1 − cosine, 0 where either does not count. */
  readonly cost: Value;
}

/** What the published code adds to the denominators of padding. */
const FAR = 1e4;

/**
 * The cost is 1 − cos. With A = exp(−costᵀ / β), T = 1 and σ = 1/M of M words, each round: Q = A∘T; δ = 1/(N·Qσ) for N patches,
 * σ = 1/(M·Qᵀδ), T = diag(δ)·Q·diag(σ). A text without words, or a picture without patches, is at distance 0.
 */
export function transport(
  { text, image, words, patches }: Aligned,
  { rounds = 50, beta = 0.5 }: TransportOptions = {},
): Transport {
  const { B, T } = text.dims("B T D");
  const P = image.shape[1]!;
  const keep = {
    words: cast(words, text.dtype),
    patches: patches ? cast(patches, text.dtype) : broadcastTo(constant(1, text.dtype), [B, P]),
  };
  const both = mul(reshape(keep.words, [B, T, 1]), reshape(keep.patches, [B, 1, P])); // (B, T, P)
  const cost = mul(sub(1, matmul(l2Normalize(text), l2Normalize(image), { transposeB: true })), both);

  const count = (x: Value): Value => reshape(sum(x, [1]), [B, 1, 1]);
  const [wordCount, patchCount] = [count(keep.words), count(keep.patches)];
  const [M, N] = [maximum(wordCount, 1), maximum(patchCount, 1)];
  const far = (x: Value, others: Value, shape: number[]): Value =>
    mul(sub(1, mul(reshape(x, shape), minimum(others, 1))), FAR); // without others all are padding
  const [farWords, farPatches] = [far(keep.words, patchCount, [B, 1, T]), far(keep.patches, wordCount, [B, P, 1])];
  const pairs = swapLast(both); // (B, P, T)
  const A = mul(exp(mul(swapLast(stopGradient(cost)), -1 / beta)), pairs);

  let plan = pairs;
  let sigma = div(reshape(keep.words, [B, 1, T]), M);
  for (let round = 0; round < rounds; round++) {
    const Q = mul(A, plan);
    const delta = div(1, add(mul(N, matmul(Q, sigma, { transposeB: true })), farPatches)); // (B, P, 1)
    sigma = div(1, add(mul(M, matmul(delta, Q, { transposeA: true })), farWords)); // (B, 1, T)
    plan = mul(mul(delta, Q), sigma);
  }
  plan = stopGradient(mul(plan, pairs));
  return { distances: sum(mul(cost, swapLast(plan)), [1, 2]), plan, cost };
}

/** (Σ distances of matched pairs − Σ those of others) / B; `matched` (B) is 1 or 0. The distances are (B). */
export function alignmentLoss(distances: Value, matched: Value): Value {
  const { B } = distances.dims("B");
  const signs = sub(mul(cast(matched, distances.dtype), 2), 1);
  return div(sum(mul(distances, signs)), B);
}

/** Which tokens are words, (B, T): those that `attention_mask` (B, T) keeps, but for the first, [CLS], and the last, [SEP]. */
export function wordsOf(attention_mask: Value, like: Value): Value {
  const { B, T } = attention_mask.dims("B T");
  const keep = cast(attention_mask, like.dtype);
  const none = broadcastTo(constant(0, like.dtype), [B, 1]);
  if (T < 3) return broadcastTo(none, [B, T]);
  const followed = mul(slice(keep, 1, 1, T - 1), slice(keep, 1, 2, T)); // (B, T − 2): a word has a token after it
  return concat([none, followed, none], 1);
}
