/** How many class predictions are right. All are shares in 0..1; no samples is an error. */
import { checkLabels, checkSamples, type Numbers } from "./check.ts";

/** Share of predictions that equal their target. */
export function accuracy(predictions: Numbers, targets: Numbers): number {
  checkSamples("accuracy", predictions, targets);
  let right = 0;
  for (let i = 0; i < targets.length; i++) if (predictions[i] === targets[i]) right++;
  return right / targets.length;
}

/** Mean over the classes that occur in `targets` of the share of each that is right: balanced accuracy. */
export function meanPerClass(predictions: Numbers, targets: Numbers): number {
  checkSamples("mean per class", predictions, targets);
  const classes = new Map<number, { right: number; all: number }>();
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i]!;
    const count = classes.get(target) ?? { right: 0, all: 0 };
    count.all++;
    if (predictions[i] === target) count.right++;
    classes.set(target, count);
  }
  return [...classes.values()].reduce((sum, { right, all }) => sum + right / all, 0) / classes.size;
}

/**
 * Share of samples whose target is among the k best classes; `scores` (N, C). Another class with the same score, or with one that is no
 * number, counts as better, so scores that are all alike find nothing; a target's score that is no number is never found.
 */
export function topKAccuracy(scores: Numbers, targets: Numbers, classes: number, k: number): number {
  checkSamples(`top ${k}`, scores, targets, classes);
  checkLabels(`top ${k}`, targets, classes);
  let found = 0;
  for (let i = 0; i < targets.length; i++) {
    const own = scores[i * classes + targets[i]!]!;
    let ahead = 0;
    for (let c = 0; c < classes; c++) if (c !== targets[i] && !(scores[i * classes + c]! < own)) ahead++;
    if (ahead < k && !Number.isNaN(own)) found++;
  }
  return found / targets.length;
}

/** The class of the highest score in each row of (N, C); of equal ones the first, as NumPy has it. */
export function argmaxRows(scores: Numbers, classes: number): Int32Array {
  return Int32Array.from({ length: scores.length / classes }, (_, i) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[i * classes + c]! > scores[i * classes + best]!) best = c;
    return best;
  });
}
