/** Reductions, and the operations that normalise along an axis. Sums are kept in 64 bits and rounded once. */
import { type Shape, size, stridesOf } from "../../tensor/index.ts";
import { forRows } from "./layout.ts";
import { type Data, isBig } from "./storage.ts";

/** Strides that send every element of `shape` to its place in the reduced array. */
function reducedStrides(shape: Shape, axes: readonly number[]): number[] {
  const kept = stridesOf(shape.map((n, i) => (axes.includes(i) ? 1 : n)));
  return kept.map((step, i) => (axes.includes(i) ? 0 : step));
}

export function sum(x: Data, shape: Shape, axes: readonly number[], out: Data): Data {
  const total = out instanceof Float32Array ? new Float64Array(out.length) : out;
  forRows(shape, stridesOf(shape), reducedStrides(shape, axes), (i, j, { n, a, b }) => {
    let p = i;
    let q = j;
    for (let k = 0; k < n; k++, p += a, q += b) total[q] = total[q]! + x[p]!;
  });
  if (total !== out) out.set(total);
  return out;
}

const lowest = (x: Data): number => {
  if (isBig(x)) return -(2n ** 63n) as unknown as number;
  return x instanceof Int32Array ? -(2 ** 31) : x instanceof Uint8Array ? 0 : Number.NEGATIVE_INFINITY;
};

export function reduceMax(x: Data, shape: Shape, axes: readonly number[], out: Data): Data {
  out.fill(lowest(x));
  forRows(shape, stridesOf(shape), reducedStrides(shape, axes), (i, j, { n, a, b }) => {
    let p = i;
    let q = j;
    for (let k = 0; k < n; k++, p += a, q += b) if (x[p]! > out[q]! || Number.isNaN(x[p]!)) out[q] = x[p]!;
  });
  return out;
}

/** Calls `line` for every line along an axis, with the offset of its first element; its elements are `step` apart. */
function forLines(shape: Shape, axis: number, line: (start: number, step: number) => void): void {
  const step = size(shape.slice(axis + 1));
  const outer = size(shape.slice(0, axis));
  const n = shape[axis]!;
  for (let i = 0; i < outer; i++) for (let j = 0; j < step; j++) line(i * n * step + j, step);
}

/** Index of the first maximum of every line. */
export function argmax(x: Data, shape: Shape, axis: number, out: Data): Data {
  const n = shape[axis]!;
  let next = 0;
  forLines(shape, axis, (start, step) => {
    let best = 0;
    for (let k = 1; k < n; k++) if (x[start + k * step]! > x[start + best * step]!) best = k;
    out[next++] = best;
  });
  return out;
}

/** The maximum of a line, and Σ e^(x − maximum). */
function maxAndSum(x: Data, start: number, step: number, n: number): [number, number] {
  let max = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < n; k++) max = Math.max(max, x[start + k * step]!);
  let total = 0;
  for (let k = 0; k < n; k++) total += Math.exp(x[start + k * step]! - max);
  return [max, total];
}

export function softmax(x: Data, shape: Shape, axis: number, out: Data): Data {
  const n = shape[axis]!;
  forLines(shape, axis, (start, step) => {
    const [max, total] = maxAndSum(x, start, step, n);
    for (let p = start; p < start + n * step; p += step) out[p] = Math.exp(x[p]! - max) / total;
  });
  return out;
}

export function logSoftmax(x: Data, shape: Shape, axis: number, out: Data): Data {
  const n = shape[axis]!;
  forLines(shape, axis, (start, step) => {
    const [max, total] = maxAndSum(x, start, step, n);
    const log = Math.log(total);
    for (let p = start; p < start + n * step; p += step) out[p] = x[p]! - max - log;
  });
  return out;
}

/** Mean and biased variance of the `n` elements from `start`. */
export function moments(x: Data, start: number, n: number): { mean: number; variance: number } {
  let total = 0;
  for (let i = start; i < start + n; i++) total += x[i]!;
  const mean = total / n;
  let squares = 0;
  for (let i = start; i < start + n; i++) squares += (x[i]! - mean) ** 2;
  return { mean, variance: squares / n };
}

/** (x − mean)/√(variance + eps)·weight + bias over lines of weight's length. */
export function layerNorm(x: Data, weight: Data, bias: Data, eps: number, out: Data): Data {
  const n = weight.length;
  for (let start = 0; start < x.length; start += n) {
    const { mean, variance } = moments(x, start, n);
    const scale = 1 / Math.sqrt(variance + eps);
    for (let k = 0; k < n; k++) out[start + k] = (x[start + k]! - mean) * scale * weight[k]! + bias[k]!;
  }
  return out;
}
