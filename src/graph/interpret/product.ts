/** Matrix products, as dot products of rows: the left operand is held (m, k), the right one (n, k). */
import { type Shape, size, stridesOf } from "../../tensor/index.ts";
import { broadcastStrides, forRows } from "./layout.ts";
import type { Data } from "./storage.ts";

/** A matrix of an array, as rows of 64-bit floats, turned if asked; not copied where it can be used as it lies. */
export function rowsOf(x: Data, start: number, rows: number, columns: number, turn: boolean): Float64Array {
  if (!turn && x instanceof Float64Array) return x.subarray(start, start + rows * columns);
  const out = new Float64Array(rows * columns);
  if (!turn) out.set(x.subarray(start, start + rows * columns));
  else
    for (let i = 0; i < rows; i++)
      for (let j = 0, p = start + i * columns; j < columns; j++, p++) out[j * rows + i] = x[p]!;
  return out;
}

/** out (m, n) += a (m, k) · b (n, k)ᵀ; four columns at a time, for four independent sums. */
export function addProduct(a: Float64Array, b: Float64Array, k: number, out: Float64Array): void {
  if (k === 0) return;
  const [m, n] = [a.length / k, b.length / k];
  for (let i = 0; i < m; i++) {
    const row = i * k;
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      const b0 = j * k;
      const [b1, b2, b3] = [b0 + k, b0 + 2 * k, b0 + 3 * k];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let p = 0; p < k; p++) {
        const x = a[row + p]!;
        s0 += x * b[b0 + p]!;
        s1 += x * b[b1 + p]!;
        s2 += x * b[b2 + p]!;
        s3 += x * b[b3 + p]!;
      }
      const at = i * n + j;
      out[at] = out[at]! + s0;
      out[at + 1] = out[at + 1]! + s1;
      out[at + 2] = out[at + 2]! + s2;
      out[at + 3] = out[at + 3]! + s3;
    }
    for (; j < n; j++) {
      let s = 0;
      for (let p = 0; p < k; p++) s += a[row + p]! * b[j * k + p]!;
      out[i * n + j] = out[i * n + j]! + s;
    }
  }
}

interface Operand {
  data: Data;
  shape: Shape;
  transpose: boolean;
}

/** Product of the last two axes, batch axes broadcast. `shape` is that of the result. */
export function matmul(a: Operand, b: Operand, shape: Shape, out: Data): Data {
  const [rowsA, columnsA, rowsB, columnsB] = [...a.shape.slice(-2), ...b.shape.slice(-2)] as [
    number,
    number,
    number,
    number,
  ];
  const k = a.transpose ? rowsA : columnsA;
  const [m, n] = shape.slice(-2) as [number, number];
  const batch = shape.slice(0, -2);
  const offsets = (x: Shape): number[] => {
    const list: number[] = [];
    const walk = broadcastStrides(x.slice(0, -2), batch);
    forRows(batch, walk, stridesOf(batch), (i, _, run) => {
      for (let t = 0; t < run.n; t++) list.push((i + t * run.a) * size(x.slice(-2)));
    });
    return list;
  };
  const [atA, atB] = [offsets(a.shape), offsets(b.shape)];
  let right: Float64Array | undefined;
  for (let i = 0; i < atA.length; i++) {
    const left = rowsOf(a.data, atA[i]!, rowsA, columnsA, a.transpose);
    if (atB[i] !== atB[i - 1]) right = rowsOf(b.data, atB[i]!, rowsB, columnsB, !b.transpose);
    const place = out.subarray(i * m * n, (i + 1) * m * n);
    const sums = place instanceof Float64Array ? place : new Float64Array(m * n);
    addProduct(left, right!, k, sums);
    if (sums !== place) place.set(sums);
  }
  return out;
}
