/** Comparing tensors: the one definition of "close" that tests, parity reports and debugging share. */
import { ShapeError } from "../errors.ts";
import { formatShape, type Shape, sameShape, type Tensor, toNumbers } from "./tensor.ts";

/** An element is close when |actual − expected| ≤ atol + rtol·|expected|. NaN is close to nothing, ±∞ to itself. */
export interface Tolerance {
  /** Relative; default 0. */
  readonly rtol?: number;
  /** Absolute; default 0. */
  readonly atol?: number;
}

export interface ElementDifference {
  readonly index: Shape;
  readonly actual: number;
  readonly expected: number;
}

export interface Difference {
  readonly close: boolean;
  /** How many elements are not close, of how many. */
  readonly outside: number;
  readonly total: number;
  /** The largest |actual − expected|. */
  readonly maxAbsolute: number;
  /** The largest |actual − expected| / |expected|, of the elements with expected ≠ 0. */
  readonly maxRelative: number;
  /** The element that leaves the tolerance by the largest factor; absent when all are equal. */
  readonly worst?: ElementDifference;
}

function indexOf(flat: number, shape: Shape): number[] {
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(flat % shape[axis]!);
    flat = Math.floor(flat / shape[axis]!);
  }
  return index;
}

function differenceOf(actual: number, expected: number): number {
  if (actual === expected) return 0;
  const d = Math.abs(actual - expected);
  return Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
}

/** Compares two tensors of one shape; dtypes may differ. Throws ShapeError when the shapes do. */
export function compareTensors(actual: Tensor, expected: Tensor, { rtol = 0, atol = 0 }: Tolerance = {}): Difference {
  if (!sameShape(actual.shape, expected.shape))
    throw new ShapeError(`compare: expected ${formatShape(expected.shape)}, got ${formatShape(actual.shape)}`);
  const [x, y] = [toNumbers(actual), toNumbers(expected)];
  let [outside, maxAbsolute, maxRelative, worstAt, worstFactor] = [0, 0, 0, -1, 0];
  for (let i = 0; i < x.length; i++) {
    const d = differenceOf(x[i]!, y[i]!);
    if (d === 0) continue;
    const size = Math.abs(y[i]!);
    const factor = d / (Number.isFinite(size) ? atol + rtol * size : 0);
    if (!(factor <= 1)) outside++;
    maxAbsolute = Math.max(maxAbsolute, d);
    if (size > 0) maxRelative = Math.max(maxRelative, Number.isFinite(size) ? d / size : Number.POSITIVE_INFINITY);
    const wins =
      worstAt < 0 || factor > worstFactor || (factor === worstFactor && d > differenceOf(x[worstAt]!, y[worstAt]!));
    if (wins) [worstAt, worstFactor] = [i, factor];
  }
  const summary = { close: outside === 0, outside, total: x.length, maxAbsolute, maxRelative };
  if (worstAt < 0) return summary;
  return { ...summary, worst: { index: indexOf(worstAt, actual.shape), actual: x[worstAt]!, expected: y[worstAt]! } };
}

/** Whether all elements are close. Throws ShapeError when the shapes differ. */
export const allclose = (actual: Tensor, expected: Tensor, tolerance: Tolerance = {}): boolean =>
  compareTensors(actual, expected, tolerance).close;

/** A difference in one line: "3 of 12 elements differ; worst at (1, 2): expected 0.5, got 0.6 (absolute 0.1, relative 0.2)". */
export function formatDifference({ close, outside, total, worst }: Difference): string {
  if (!worst) return `all ${total} elements are equal`;
  const { index, actual, expected } = worst;
  const absolute = Math.abs(actual - expected);
  const head = close ? `all ${total} elements are close` : `${outside} of ${total} elements differ`;
  const sizes = `absolute ${absolute.toPrecision(3)}, relative ${(absolute / Math.abs(expected)).toPrecision(3)}`;
  return `${head}; worst at ${formatShape(index)}: expected ${expected}, got ${actual} (${sizes})`;
}
