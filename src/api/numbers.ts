/** Small sums over results on the host. */
import { type OutputTensor, output } from "./output.ts";

/** Probabilities of logits. */
export function softmax(logits: ArrayLike<number>): number[] {
  const list = Array.from(logits);
  const largest = list.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = list.map((x) => Math.exp(x - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / total);
}

/** Of two rows. */
export const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** The mean of every `n` rows, brought to length 1. */
export function meanRows(rows: OutputTensor, n: number): OutputTensor {
  const [R, E] = rows.shape as [number, number];
  const data = new Float32Array((R / n) * E);
  for (let i = 0; i < R; i++) for (let e = 0; e < E; e++) data[Math.floor(i / n) * E + e]! += rows.data[i * E + e]!;
  return output({ dtype: "float32", shape: [R / n, E], data: unitRows(data, E) });
}

/** Rows of length 1, in place. */
export function unitRows(data: Float32Array, D: number): Float32Array {
  for (let from = 0; from < data.length; from += D) {
    const row = data.subarray(from, from + D);
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    if (length > 0) for (let i = 0; i < D; i++) row[i]! /= length;
  }
  return data;
}

/** (N, T, D) → (N, D): the mean of the tokens that count, or the first. */
export function poolTokens({ data, shape }: OutputTensor, mask: Int32Array | undefined): OutputTensor {
  const [N, T, D] = shape as [number, number, number];
  const out = new Float32Array(N * D);
  for (let n = 0; n < N; n++) {
    const counted = Array.from({ length: T }, (_, t) => t).filter((t) => (mask ? mask[n * T + t] === 1 : t === 0));
    for (const t of counted) for (let d = 0; d < D; d++) out[n * D + d]! += data[(n * T + t) * D + d]! / counted.length;
  }
  return output({ dtype: "float32", shape: [N, D], data: out });
}
