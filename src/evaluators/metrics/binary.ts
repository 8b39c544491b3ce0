/** Two classes, and Matthews' coefficient for any number. */
import { DataError } from "../../errors.ts";
import { checkFinite, checkLabels, checkSamples, type Numbers } from "./check.ts";
import { averageRanks } from "./ranks.ts";

/** F1 of class 1, in 0..1: 2·TP / (2·TP + FP + FN). 0 where class 1 is neither there nor predicted. */
export function f1(predictions: Numbers, targets: Numbers): number {
  checkSamples("F1", predictions, targets);
  checkLabels("F1", targets, 2);
  let [both, either] = [0, 0];
  for (let i = 0; i < targets.length; i++) {
    if (predictions[i] === 1 && targets[i] === 1) both++;
    if (predictions[i] === 1) either++;
    if (targets[i] === 1) either++;
  }
  return either === 0 ? 0 : (2 * both) / either;
}

/**
 * Matthews' correlation of predictions and targets, in −1..1, for any number of classes (Gorodkin, Comput. Biol. Chem. 28, 2004). 0
 * where either is constant.
 */
export function matthews(predictions: Numbers, targets: Numbers): number {
  checkSamples("Matthews", predictions, targets);
  const N = targets.length;
  const count = (values: Numbers): Map<number, number> => {
    const counts = new Map<number, number>();
    for (let i = 0; i < N; i++) counts.set(values[i]!, (counts.get(values[i]!) ?? 0) + 1);
    return counts;
  };
  const [said, true_] = [count(predictions), count(targets)];
  let right = 0;
  for (let i = 0; i < N; i++) if (predictions[i] === targets[i]) right++;
  const dot = (a: Map<number, number>, b: Map<number, number>): number =>
    [...a].reduce((sum, [label, n]) => sum + n * (b.get(label) ?? 0), 0);
  const covariance = right * N - dot(said, true_);
  const spread = Math.sqrt(N * N - dot(said, said)) * Math.sqrt(N * N - dot(true_, true_));
  return spread === 0 ? 0 : covariance / spread;
}

/**
 * Area under the ROC curve in 0..1: the chance that a sample of class 1 scores higher than one of class 0, a tie counting half.
 * @throws DataError where one of the classes is missing, or a score is no finite number.
 */
export function auroc(scores: Numbers, targets: Numbers): number {
  checkSamples("AUROC", scores, targets);
  checkLabels("AUROC", targets, 2);
  checkFinite("AUROC", scores);
  const ranks = averageRanks(scores);
  let [positives, sum] = [0, 0];
  for (let i = 0; i < targets.length; i++)
    if (targets[i] === 1) {
      positives++;
      sum += ranks[i]!;
    }
  const negatives = targets.length - positives;
  if (positives === 0 || negatives === 0)
    throw new DataError(
      `AUROC: expected samples of both classes, got ${positives} of class 1 and ${negatives} of class 0`,
    );
  return (sum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
