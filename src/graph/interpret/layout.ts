/** Moving elements: one walk over strided views serves reshaping, broadcasting, slicing, padding, joining and reducing. */
import { type Shape, size, stridesOf } from "../../tensor/index.ts";
import type { Data } from "./storage.ts";

/** One axis of a walk over two arrays: its size, and the step that it makes in each. */
export interface Axis {
  n: number;
  a: number;
  b: number;
}

/** Drops axes of size 1 and joins neighbours that are one run in both arrays. */
function joinAxes(shape: Shape, a: readonly number[], b: readonly number[]): Axis[] {
  const axes: Axis[] = [];
  shape.forEach((n, k) => {
    if (n === 1) return;
    const last = axes[axes.length - 1];
    const [stepA, stepB] = [a[k]!, b[k]!];
    if (last && last.a === stepA * n && last.b === stepB * n)
      axes[axes.length - 1] = { n: last.n * n, a: stepA, b: stepB };
    else axes.push({ n, a: stepA, b: stepB });
  });
  return axes;
}

/**
 * Walks two strided arrays of one shape together. `row` is called for every innermost run, with the offset of its first
 * element in each array, relative to where the walk began.
 */
export function forRows(
  shape: Shape,
  a: readonly number[],
  b: readonly number[],
  row: (i: number, j: number, run: Axis) => void,
): void {
  if (size(shape) === 0) return;
  const axes = joinAxes(shape, a, b);
  const run = axes.pop() ?? { n: 1, a: 0, b: 0 };
  const index = new Array<number>(axes.length).fill(0);
  let [i, j] = [0, 0];
  for (;;) {
    row(i, j, run);
    let k = axes.length - 1;
    for (; k >= 0; k--) {
      const axis = axes[k]!;
      i += axis.a;
      j += axis.b;
      index[k]!++;
      if (index[k]! < axis.n) break;
      i -= axis.a * axis.n;
      j -= axis.b * axis.n;
      index[k] = 0;
    }
    if (k < 0) return;
  }
}

/** A strided view of an array. */
interface View {
  data: Data;
  strides: readonly number[];
  offset?: number;
}

function copy(shape: Shape, from: View, to: View): Data {
  const [x, y] = [from.data, to.data];
  const [fromStart, toStart] = [from.offset ?? 0, to.offset ?? 0];
  forRows(shape, from.strides, to.strides, (i, j, { n, a, b }) => {
    let p = fromStart + i;
    let q = toStart + j;
    for (let k = 0; k < n; k++, p += a, q += b) y[q] = x[p]!;
  });
  return y;
}

/** Strides that see an array of one shape as a larger one: 0 along the axes that repeat. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const strides = stridesOf(from);
  const lead = to.length - from.length;
  return to.map((_, i) => (i < lead || from[i - lead] === 1 ? 0 : strides[i - lead]!));
}

const offsetOf = (at: readonly number[], strides: readonly number[]): number =>
  at.reduce((sum, n, i) => sum + n * strides[i]!, 0);

/** Elements of `shape` repeated to fill `to`; the same array when nothing repeats. `make` gives the array to fill. */
export function broadcast(x: Data, shape: Shape, to: Shape, make: () => Data): Data {
  if (x.length === size(to)) return x;
  return copy(to, { data: x, strides: broadcastStrides(shape, to) }, { data: make(), strides: stridesOf(to) });
}

export function permute(x: Data, shape: Shape, perm: readonly number[], out: Data): Data {
  const strides = stridesOf(shape);
  const to = perm.map((p) => shape[p]!);
  return copy(to, { data: x, strides: perm.map((p) => strides[p]!) }, { data: out, strides: stridesOf(to) });
}

export function slice(x: Data, shape: Shape, starts: readonly number[], to: Shape, out: Data): Data {
  const strides = stridesOf(shape);
  const from = { data: x, strides, offset: offsetOf(starts, strides) };
  return copy(to, from, { data: out, strides: stridesOf(to) });
}

export function pad(x: Data, shape: Shape, before: readonly number[], to: Shape, out: Data): Data {
  const strides = stridesOf(to);
  return copy(shape, { data: x, strides: stridesOf(shape) }, { data: out, strides, offset: offsetOf(before, strides) });
}

export function concat(parts: readonly Data[], shapes: readonly Shape[], axis: number, to: Shape, out: Data): Data {
  const strides = stridesOf(to);
  let at = 0;
  parts.forEach((part, i) => {
    const shape = shapes[i]!;
    copy(shape, { data: part, strides: stridesOf(shape) }, { data: out, strides, offset: at * strides[axis]! });
    at += shape[axis]!;
  });
  return out;
}
