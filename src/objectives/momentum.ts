/** Losses against a model's own average (ALBEF, arXiv:2107.07651 §3.2–3.3): contrast with queues, hard negatives, distilled words. */
import {
  add,
  argmax,
  cast,
  concat,
  constant,
  div,
  equal,
  gather,
  less,
  lessEqual,
  logSoftmax,
  matmul,
  maximum,
  mean,
  mul,
  neg,
  reshape,
  softmax,
  stopGradient,
  sub,
  sum,
  swapLast,
  type Value,
  where,
} from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import type { Rows } from "./masked-cross-entropy.ts";
import { type BatchPart, overParts, shareOf } from "./parts.ts";

const numbers = (n: number, shape: readonly number[]): Value =>
  constant(
    fromNumbers(
      Array.from({ length: n }, (_, i) => i),
      shape,
      "int32",
    ),
  );

/** What is compared; all embeddings have length 1. */
export interface MomentumEmbeds {
  /** (B, E), with gradient. */
  readonly image: Value;
  readonly text: Value;
  /** (B, E), of the average: constants. */
  readonly imageMomentum: Value;
  readonly textMomentum: Value;
  /** (E, Q): those of earlier batches, one a column. */
  readonly imageQueue: Value;
  readonly textQueue: Value;
  /** (): what cosines are divided by. */
  readonly temperature: Value;
  /** (): how much of the targets are the average's own scores, in 0..1. */
  readonly alpha: Value | number;
}

/** One direction of the contrast. */
export interface Direction {
  /** (B, B + Q): the batch's own pairs first, so that column i is pair i's. */
  readonly scores: Value;
  /** (B, B + Q), without gradient. */
  readonly targets: Value;
  /** (): mean of −Σ targets · log softmax(scores). */
  readonly loss: Value;
  /** (): share of rows whose largest score is their own pair's. */
  readonly accuracy: Value;
}

export interface MomentumContrast {
  /** (): the mean of both directions. */
  readonly loss: Value;
  readonly imageToText: Direction;
  readonly textToImage: Direction;
}

/** Each with the average's embeddings of the other modality and with its queue; targets are α·softmax(average's scores) + (1 − α)·own pair. */
export function momentumContrast(embeds: MomentumEmbeds): MomentumContrast {
  const { image, text, imageMomentum, textMomentum, imageQueue, textQueue, temperature, alpha } = embeds;
  const columns = (own: Value, queue: Value): Value => stopGradient(concat([swapLast(own), queue], 1)); // (E, B + Q)
  const [images, texts] = [columns(imageMomentum, imageQueue), columns(textMomentum, textQueue)];
  const imageToText = direction(image, imageMomentum, texts, temperature, alpha);
  const textToImage = direction(text, textMomentum, images, temperature, alpha);
  return { loss: mul(add(imageToText.loss, textToImage.loss), 0.5), imageToText, textToImage };
}

function direction(x: Value, momentum: Value, columns: Value, temperature: Value, alpha: Value | number): Direction {
  const { B } = x.dims("B E");
  const scores = div(matmul(x, columns), temperature);
  const soft = softmax(div(matmul(momentum, columns), temperature));
  const own = equal(numbers(B, [B, 1]), numbers(columns.shape[1]!, [1, columns.shape[1]!]));
  const targets = stopGradient(add(mul(soft, alpha), mul(cast(own, x.dtype), sub(1, alpha))));
  const hits = equal(argmax(scores, 1), numbers(B, [B]));
  return {
    scores,
    targets,
    loss: neg(mean(sum(mul(targets, logSoftmax(scores)), [1]))),
    accuracy: mean(cast(hits, x.dtype)),
  };
}

/** A queue (E, Q) whose B columns from `start` int () on are replaced by embeddings (B, E); past the end it goes on at the beginning. */
export function enqueue(queue: Value, rows: Value, start: Value): Value {
  const { E, Q } = queue.dims("E Q");
  const { B } = rows.dims("B E");
  const after = sub(numbers(Q, [Q]), start); // −start … Q − 1 − start
  const place = where(less(after, 0), add(after, Q), after);
  const column = where(less(place, B), add(place, Q), numbers(Q, [Q]));
  const both = concat([swapLast(queue), rows], 0); // (Q + B, E)
  return reshape(swapLast(gather(both, column)), [E, Q]);
}

/** A wrong partner for each sample. */
export interface HardNegatives {
  /** int (B): its number in the batch. */
  readonly chosen: Value;
  /** (B): 0 where no other sample could be wrong. */
  readonly weights: Value;
}

/**
 * A draw by softmax(scores) among the samples that may be wrong: `scores` (B, B), `same` (B, B) 1 for those that belong to the same words,
 * the sample itself among them. `noise` (B, B) is standard Gumbel noise, with which the largest is such a draw; without it, the likeliest.
 */
export function hardNegatives(scores: Value, same: Value, noise?: Value): HardNegatives {
  const { B } = scores.dims("B C");
  const fixed = stopGradient(scores);
  const drawn = noise ? add(fixed, noise) : fixed;
  const chosen = argmax(where(equal(same, 1), -1e30, drawn), 1);
  const others = sub(B, sum(cast(same, scores.dtype), [1]));
  return { chosen, weights: cast(lessEqual(1, others), scores.dtype) };
}

/** Cross entropy with soft targets: mean over rows of weight > 0 of −Σ softmax(teacher) · log softmax(logits). */
export function maskedDistillation({ logits, weights }: Rows, teacher: Value, part: BatchPart = {}): Value {
  const count = overParts(sum(weights), part);
  const losses = neg(sum(mul(stopGradient(softmax(teacher)), logSoftmax(logits)), [1])); // (R)
  return div(shareOf(sum(mul(losses, weights)), part), maximum(count, 1));
}
