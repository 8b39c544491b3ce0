/** Cross entropy over selected rows: masked image, language and multimodal modelling (arXiv:2112.04482 §3.1–3.2). */
import { ShapeError } from "../errors.ts";
import {
  add,
  argmax,
  cast,
  constant,
  div,
  equal,
  gather,
  lessEqual,
  logSoftmax,
  maximum,
  mean,
  mul,
  neg,
  reshape,
  sub,
  sum,
  type Value,
  where,
} from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { type BatchPart, overParts, shareOf } from "./parts.ts";

/** A classification loss and the numbers that show whether it learns. */
export interface Classification {
  /** (): the mean loss. */
  readonly loss: Value;
  /** (): share of selected rows whose largest logit is the target. */
  readonly accuracy: Value;
  /** (): sum of weights of the selected rows. */
  readonly count: Value;
  /** The loss of a uniform guess, ln V. */
  readonly chance: number;
}

export interface Rows {
  /** (R, V). */
  readonly logits: Value;
  /** int (R) of 0..V − 1; any class where the weight is 0. */
  readonly targets: Value;
  /** (R) ≥ 0: how much a row counts, 0 for not at all. */
  readonly weights: Value;
}

/**
 * Mean cross entropy over rows of weight > 0 (MIM, MLM, MMM):
 *   L = Σ w·(−log softmax(logits)[target]) / Σ w
 * With nothing selected the loss and its gradient are 0, never NaN (both public implementations give NaN there).
 * Ignored labels (−100) must come as weight 0 and any class. With several parts Σ w is that of all of them. `smoothing` is that of
 * `smoothedCrossEntropy`.
 */
export function maskedCrossEntropy(
  { logits, targets, weights }: Rows,
  { smoothing = 0, ...part }: BatchPart & { readonly smoothing?: number } = {},
): Classification {
  const V = logits.dims("R V").V;
  const count = overParts(sum(weights), part);
  const losses = smoothed(crossEntropy(logits, targets), logits, smoothing); // (R)
  const hits = cast(equal(argmax(logits, 1), cast(targets, "int32")), logits.dtype);
  /** Σ w·x / Σ w, and 0 where no weight is positive. Weights are whole numbers of rows, so a sum below 1 means none. */
  const weighted = (x: Value): Value => div(shareOf(sum(mul(x, weights)), part), maximum(count, 1));
  return {
    loss: weighted(losses),
    accuracy: weighted(hits),
    count,
    chance: Math.log(V),
  };
}

/** Rows of logits (R, V), R places in turn, by labels int (B, T) of which negative ones do not count. */
export function labelledRows(logits: Value, labels: Value): Rows {
  const all = reshape(labels, [logits.shape[0]!]);
  const counts = lessEqual(0, all);
  return { logits, targets: where(counts, all, 0), weights: cast(counts, logits.dtype) };
}

/** −log softmax(logits)[target] of each row: (R, V) and int (R) → (R). */
export function crossEntropy(logits: Value, targets: Value): Value {
  const { R, V } = logits.dims("R V");
  if (R * V >= 2 ** 31)
    throw new ShapeError(`cross entropy: ${R} × ${V} logits cannot be indexed with 32 bits`, "use smaller batches");
  const starts = fromNumbers(
    Array.from({ length: R }, (_, r) => r * V),
    [R],
    "int32",
  );
  const flat = add(cast(targets, "int32"), constant(starts));
  return neg(gather(reshape(logSoftmax(logits), [R * V]), flat));
}

/**
 * Cross entropy with smoothed labels, mean over rows (Szegedy et al., arXiv:1512.00567 §7):
 *   (1 − s)·(−log p[target]) + s·mean over classes of −log p
 */
export function smoothedCrossEntropy(logits: Value, targets: Value, smoothing: number): Value {
  return mean(smoothed(crossEntropy(logits, targets), logits, smoothing));
}

/** The loss of each row (R), of which a share is the mean of −log p over classes. */
const smoothed = (hard: Value, logits: Value, smoothing: number): Value =>
  smoothing === 0 ? hard : sub(mul(hard, 1 - smoothing), mul(mean(logSoftmax(logits), [1]), smoothing));
