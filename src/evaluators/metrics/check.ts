/** What every metric asks of what it is given. */
import { DataError, ShapeError } from "../../errors.ts";

/** Numbers by place: typed arrays and plain ones. */
export type Numbers = ArrayLike<number>;

/** Throws ShapeError where the lengths differ, DataError where there is nothing to measure. */
export function checkSamples(metric: string, given: Numbers, targets: Numbers, width = 1): void {
  if (given.length !== targets.length * width)
    throw new ShapeError(`${metric}: expected ${targets.length * width} values, got ${given.length}`);
  if (targets.length === 0) throw new DataError(`${metric}: expected samples, got none`);
}

/** Throws DataError where a value is no finite number; `width`: values of a row. */
export function checkFinite(metric: string, values: Numbers, width = 1): void {
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]!))
      throw new DataError(`${metric}: expected finite numbers, got ${values[i]} in row ${Math.floor(i / width)}`);
}

/** Throws DataError where a label is not a whole number in 0..classes − 1. */
export function checkLabels(metric: string, labels: Numbers, classes: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes))
      throw new DataError(`${metric}: expected labels in 0..${classes - 1}, got ${label} in row ${i}`);
  }
}
