/** Losses on the regions of a detector: masked classes by their distribution, or features (arXiv:2011.15124 §A.2; UNITER). */
import { abs, div, less, log, logSoftmax, maximum, mean, mul, sub, sum, type Value, where } from "../graph/index.ts";
import { type BatchPart, overParts, shareOf } from "./parts.ts";

/** Rows of the regions of a batch, of which some are masked. */
export interface MaskedRegions {
  /** (R, C): scores of the classes, or a predicted feature. */
  readonly predicted: Value;
  /** (R, C): what the detector says: a distribution over the classes, or the feature. */
  readonly targets: Value;
  /** (R): 1 where a region is masked and counts. */
  readonly weights: Value;
}

/** Σ over masked regions of Σ_c t_c·(ln t_c − ln p_c), over their number; 0 where none is masked. */
export function maskedRegionClasses({ predicted, targets, weights }: MaskedRegions, part: BatchPart = {}): Value {
  const entropy = mul(targets, log(maximum(targets, 1e-38))); // 0 where a class has no share
  const each = sum(sub(entropy, mul(targets, logSoftmax(predicted))), [1]); // (R)
  return overMasked(each, weights, part);
}

/** Mean over masked regions and features of the squared distance, or of the smooth L1 one. */
export function maskedRegionFeatures(
  { predicted, targets, weights }: MaskedRegions,
  distance: "squared" | "smooth-l1",
  part: BatchPart = {},
): Value {
  const d = sub(predicted, targets);
  const squares = mul(d, d);
  const each = distance === "squared" ? squares : where(less(abs(d), 1), mul(squares, 0.5), sub(abs(d), 0.5)); // (R, C)
  return overMasked(mean(each, [1]), weights, part);
}

function overMasked(each: Value, weights: Value, part: BatchPart): Value {
  const count = overParts(sum(weights), part);
  return div(shareOf(sum(mul(each, weights)), part), maximum(count, 1));
}
