/**
 * Losses of a batch in parts, on several workers or in micro-batches. What a part computes is such that its mean over the parts is the
 * number of the whole batch: a mean over samples is that by itself, a mean over targets divides by the targets of all parts.
 */
import { allReduce, mul, type Value } from "../graph/index.ts";

/** Which part of a batch a loss is computed on. */
export interface BatchPart {
  /** How many equal parts there are: collectives are between so many. 1 unless said. */
  readonly parts?: number;
  /** int32 (): the number of this part. Needed where there are several. */
  readonly index?: Value | undefined;
  /** How many parts one worker has: its micro-batches. 1 unless said. */
  readonly perWorker?: number;
}

/** The sum over all parts. */
export const overParts = (x: Value, { parts = 1 }: BatchPart): Value => allReduce(x, parts);

/** A part's share of a sum over all parts, as a number whose mean over the parts is that sum. */
export const shareOf = (x: Value, { parts = 1 }: BatchPart): Value => (parts === 1 ? x : mul(x, parts));
