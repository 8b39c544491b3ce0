/**
 * Rows of numbers in groups: a linear read-out by least squares, and k-means (Lloyd, "Least squares quantization in PCM", 1982;
 * first centres as in k-means++, Arthur and Vassilvitskii, SODA 2007).
 */
import type { Random } from "../../tensor/index.ts";

/** Numbers row by row. */
export interface Rows {
  readonly width: number;
  readonly data: Float32Array;
}

/** How many rows there are. */
export const rowsOf = ({ width, data }: Rows): number => data.length / width;

/** Part of the mean square of a feature that is added to the diagonal, so that features that are all but alike do no harm. */
const RIDGE = 1e-3;

/**
 * The weights (inputs + 1, outputs; the last row is the bias) that predict the rows of `y` from those of `x` with the least squared
 * error and a little shrinkage.
 */
export function leastSquares(x: Rows, y: Rows): Float64Array[] {
  const [n, D, E] = [rowsOf(x), x.width, y.width];
  const system = Array.from({ length: D + 1 }, () => new Float64Array(D + 1 + E));
  const row = new Float64Array(D + 1 + E);
  row[D] = 1;
  for (let i = 0; i < n; i++) {
    row.set(x.data.subarray(i * D, (i + 1) * D));
    row.set(y.data.subarray(i * E, (i + 1) * E), D + 1);
    for (let a = 0; a <= D; a++) {
      const [into, scale] = [system[a]!, row[a]!];
      if (scale !== 0) for (let b = 0; b < row.length; b++) into[b] = into[b]! + scale * row[b]!;
    }
  }
  const power = system.slice(0, D).reduce((sum, line, a) => sum + line[a]!, 0) / Math.max(1, D);
  for (let a = 0; a < D; a++) system[a]![a] = system[a]![a]! + RIDGE * power + 1e-12;
  eliminate(system);
  return system.map((line) => line.subarray(D + 1));
}

/** Gauss–Jordan on n rows of n coefficients and right-hand sides: leaves the solutions in place of the latter. Positive definite. */
function eliminate(system: readonly Float64Array[]): void {
  for (const [k, pivot] of system.entries()) {
    const by = 1 / pivot[k]!;
    for (let j = k; j < pivot.length; j++) pivot[j] = pivot[j]! * by;
    for (const [i, line] of system.entries()) {
      const scale = line[k]!;
      if (i === k || scale === 0) continue;
      for (let j = k; j < line.length; j++) line[j] = line[j]! - scale * pivot[j]!;
    }
  }
}

/** The rows of `x` through weights as `leastSquares` gives them. */
export function predict({ width: D, data }: Rows, weights: readonly Float64Array[]): Rows {
  const E = weights[0]!.length;
  const out = new Float32Array((data.length / D) * E);
  for (let i = 0; i < data.length / D; i++)
    for (let e = 0; e < E; e++) {
      let sum = weights[D]![e]!;
      for (let d = 0; d < D; d++) sum += data[i * D + d]! * weights[d]![e]!;
      out[i * E + e] = sum;
    }
  return { width: E, data: out };
}

/** Centres of `count` clusters, and the mean squared distance of a row to its centre. Fewer different rows leave centres alike. */
export function kMeans(x: Rows, count: number, rng: Random, rounds = 12): { centres: Rows; distance: number } {
  const { width: D, data } = x;
  const n = rowsOf(x);
  const centres = firstCentres(x, count, rng);
  let distance = 0;
  for (let round = 0; round < rounds; round++) {
    const [sums, counts] = [new Float64Array(count * D), new Uint32Array(count)];
    distance = 0;
    for (let i = 0; i < n; i++) {
      const [v, far] = nearest(x, i, centres);
      distance += far / n;
      counts[v] = counts[v]! + 1;
      for (let d = 0; d < D; d++) sums[v * D + d] = sums[v * D + d]! + data[i * D + d]!;
    }
    for (let v = 0; v < count; v++) {
      if (counts[v] === 0) centres.set(rowAt(x, rng.integer(n)), v * D);
      else for (let d = 0; d < D; d++) centres[v * D + d] = sums[v * D + d]! / counts[v]!;
    }
  }
  return { centres: { width: D, data: centres }, distance };
}

/** Each next one is a row drawn with the square of its distance to the nearest so far. */
function firstCentres(x: Rows, count: number, rng: Random): Float32Array {
  const n = rowsOf(x);
  const centres = new Float32Array(count * x.width);
  const far = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  let chosen = rng.integer(n);
  for (let v = 0; v < count; v++) {
    centres.set(rowAt(x, chosen), v * x.width);
    let total = 0;
    for (let i = 0; i < n; i++) {
      far[i] = Math.min(far[i]!, squaredDistance(x, i, centres, v));
      total += far[i]!;
    }
    chosen = total > 0 ? drawn(far, rng.uniform() * total) : rng.integer(n);
  }
  return centres;
}

/** The place at which the sum of the weights passes `sum`; the last where rounding keeps it from there. */
function drawn(weights: Float64Array, sum: number): number {
  let i = 0;
  for (let left = sum - weights[0]!; left >= 0 && i < weights.length - 1; left -= weights[i]!) i++;
  return i;
}

/** Of row i and centre v. */
function squaredDistance({ width, data }: Rows, i: number, centres: Float32Array, v: number): number {
  let far = 0;
  for (let d = 0; d < width; d++) far += (data[i * width + d]! - centres[v * width + d]!) ** 2;
  return far;
}

const rowAt = ({ width, data }: Rows, i: number): Float32Array => data.subarray(i * width, (i + 1) * width);

function nearest(x: Rows, i: number, centres: Float32Array): [centre: number, squared: number] {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let v = 0; v * x.width < centres.length; v++) {
    const far = squaredDistance(x, i, centres, v);
    if (far < least) [best, least] = [v, far];
  }
  return [best, least];
}
