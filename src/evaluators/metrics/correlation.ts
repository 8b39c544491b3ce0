/** Correlations of real numbers, in −1..1. Where either side is constant there is nothing to correlate: 0. */
import { checkFinite, checkSamples, type Numbers } from "./check.ts";
import { averageRanks } from "./ranks.ts";

/** Pearson's correlation. @throws DataError where a value is no finite number. */
export function pearson(predictions: Numbers, targets: Numbers): number {
  checkSamples("Pearson", predictions, targets);
  checkFinite("Pearson", predictions);
  checkFinite("Pearson", targets);
  const [a, b] = [centred(predictions), centred(targets)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  if (aa === 0 || bb === 0) return 0;
  return Math.max(-1, Math.min(1, ab / Math.sqrt(aa) / Math.sqrt(bb)));
}

/** Spearman's: Pearson's of the ranks, equal values sharing the mean of their ranks. @throws DataError as `pearson`. */
export function spearman(predictions: Numbers, targets: Numbers): number {
  checkSamples("Spearman", predictions, targets);
  checkFinite("Spearman", predictions);
  checkFinite("Spearman", targets);
  return pearson(averageRanks(predictions), averageRanks(targets));
}

/** Values less their mean, over the largest of them, so that squares of very small and large ones are numbers; all 0 where all are equal. */
function centred(values: Numbers): Float64Array {
  const first = values[0]! / 2;
  const away = Float64Array.from({ length: values.length }, (_, i) => values[i]! / 2 - first); // halves: a difference of numbers is one
  const most = away.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  if (most === 0) return away;
  const mean = away.reduce((sum, v) => sum + v / most, 0) / values.length;
  return away.map((v) => v / most - mean);
}
