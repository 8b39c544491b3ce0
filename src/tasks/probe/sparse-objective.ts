/** Σ log-loss of a linear classifier on rows of ones and zeros, and its gradient: for bags of words, whose rows are nearly all zeros. */
import { turns } from "../../train/index.ts";
import type { LinearObjective } from "./linear-objective.ts";

/** Rows between two looks at the clock. */
const ROWS_A_TURN = 256;

/** Rows that say which features they have. */
export interface SparseData {
  /** Of each row the numbers of its features, 0..D−1, each once. */
  readonly rows: readonly Int32Array[];
  readonly width: number;
  /** Class of each row, 0..K−1. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** (D): the share of the rows that have each feature, which is its mean. */
export function sparseShares({ rows, width }: SparseData): Float64Array {
  const share = new Float64Array(width);
  for (const row of rows) for (const d of row) share[d]! += 1 / rows.length;
  return share;
}

/** As `linearObjective`: `shift` (D) is taken from every row, which moves b alone. Throws between rows where `signal` has fired. */
export function sparseObjective(
  { rows, labels, classes: K }: SparseData,
  shift: Float64Array,
  signal?: AbortSignal,
): LinearObjective {
  const D = shift.length;
  const turn = turns(signal);
  return {
    async evaluate(w, b) {
      const dw = new Float64Array(D * K);
      const db = new Float64Array(K);
      const moved = b.map((value, k) => value - weighed(shift, w, k, K));
      const row = new Float64Array(K);
      let loss = 0;
      for (const [n, features] of rows.entries()) {
        if (n % ROWS_A_TURN === 0) await turn();
        scoresOf(features, w, moved, row);
        loss += errorOf(row, labels[n]!);
        for (const d of features) for (let k = 0; k < K; k++) dw[d * K + k]! += row[k]!;
        for (let k = 0; k < K; k++) db[k]! += row[k]!;
      }
      for (let d = 0; d < D; d++) for (let k = 0; k < K; k++) dw[d * K + k]! -= shift[d]! * db[k]!;
      return { loss, w: dw, b: db };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Entry k of shiftᵀ·w. */
function weighed(shift: Float64Array, w: Float64Array, k: number, K: number): number {
  let sum = 0;
  for (let d = 0; d < shift.length; d++) sum += shift[d]! * w[d * K + k]!;
  return sum;
}

/** x·w + b of a row into `out` (K). */
export function scoresOf(features: Int32Array, w: Float64Array, b: Float64Array, out: Float64Array): void {
  const K = out.length;
  out.set(b);
  for (const d of features) for (let k = 0; k < K; k++) out[k]! += w[d * K + k]!;
}

/** Turns scores into softmax minus target; returns −log softmax of the label. */
function errorOf(scores: Float64Array, label: number): number {
  const most = scores.reduce((a, b) => Math.max(a, b));
  const own = scores[label]! - most;
  let sum = 0;
  for (let k = 0; k < scores.length; k++) {
    scores[k] = Math.exp(scores[k]! - most);
    sum += scores[k]!;
  }
  for (let k = 0; k < scores.length; k++) scores[k]! /= sum;
  scores[label]! -= 1;
  return Math.log(sum) - own;
}
