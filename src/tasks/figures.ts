/** The figures of a classification with their bootstrap intervals: accuracy, top 5, mean per class. */
import { accuracy, at, bootstrapAll, type Interval, meanPerClass, topKAccuracy } from "../evaluators/index.ts";

/** What was said of each sample, and what is right. */
export interface Classified {
  /** Class of the highest score. */
  readonly said: Int32Array;
  /** (N, C). */
  readonly scores: Float64Array | Float32Array;
  readonly targets: Int32Array;
  readonly classes: number;
}

/** What the figures are called. */
type Names<P extends string, F extends string, M extends string> = {
  readonly plain: P;
  readonly five: F;
  readonly perClass: M;
};

/** In 0..1; with fewer than five classes the second is over all of them. Samples are drawn one by one. */
export function classificationFigures<P extends string, F extends string, M extends string>(
  { said, scores, targets, classes }: Classified,
  { plain, five, perClass }: Names<P, F, M>,
  seed?: number,
): { metrics: Record<P | F | M, number>; intervals: Record<P | F | M, Interval> } {
  const k = Math.min(5, classes);
  const right = Float64Array.from(said, (label, i) => Number(label === targets[i]));
  const among = Float64Array.from(targets, (target, i) =>
    topKAccuracy(scores.subarray(i * classes, (i + 1) * classes), [target], classes, k),
  );
  const mean = (values: Float64Array) => (places: Int32Array) =>
    places.reduce((sum, i) => sum + values[i]!, 0) / places.length;
  const figures = {
    [plain]: mean(right),
    [five]: mean(among),
    [perClass]: (places: Int32Array) => meanPerClass(at(said, places), at(targets, places)),
  } as Record<P | F | M, (places: Int32Array) => number>;
  const metrics = {
    [plain]: accuracy(said, targets),
    [five]: topKAccuracy(scores, targets, classes, k),
    [perClass]: meanPerClass(said, targets),
  } as Record<P | F | M, number>;
  return { metrics, intervals: bootstrapAll(targets.length, figures, { seed }) };
}
