/**
 * The two inner loops of resampling, on three interleaved channels. Results equal plain 32-bit sums of pixel × weight: such sums fit
 * (22 fractional bits, 8 bits of pixel, 2 bits for overshoot), so the order of additions is free.
 */
import { type Axis, PRECISION_BITS } from "./filters.ts";
import { PACKED_ROWS, packedBuffer, packingError, packRows, type Rows, resampleRows } from "./packed-rows.ts";

/** Rows and columns of a larger picture, without a copy. */
export interface View {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

// As in packed-rows.ts: engines fold what the same file defines, and a masked index cannot overflow.
const SHIFT = PRECISION_BITS;
const toByte = (sum: number): number => Math.max(0, Math.min(255, sum >> SHIFT));
const HALF = 1 << (SHIFT - 1);
const INDEX = 0x3fffffff;

/** One output of a picture: its size, and the passes that change something. */
export interface Plan {
  readonly width: number;
  readonly height: number;
  readonly across?: Axis;
  readonly down?: Axis;
}

/** The rows that some plan reads. */
export function rowsRead(view: View, plans: readonly Plan[]): { first: number; count: number } {
  const first = Math.min(...plans.map(({ down }) => (down ? down.first[0]! : 0)));
  const end = Math.max(...plans.map(({ down }) => (down ? down.first.at(-1)! + down.count.at(-1)! : view.height)));
  return { first, count: end - first };
}

/** Applies each plan to the view: columns first, then rows, rounded to eight bits in between. Each has at least one pass. */
export function plainPasses(view: View, plans: readonly Plan[]): Uint8Array<ArrayBuffer>[] {
  const wide = plans.filter((plan) => plan.across);
  const { first, count } = rowsRead(view, wide);
  const rows = { ...view, offset: view.offset + first * view.stride, height: count };
  const strips = wide.map(({ width }) => new Uint8Array(count * width * 3));
  const axes = wide.map((plan) => plan.across!);
  if (wide.length > 0) columnPass(rows, axes, strips);
  return plans.map((plan) => {
    const { width, height, across, down } = plan;
    if (!across) return rowPass(view, down!);
    const data = strips[wide.indexOf(plan)]!;
    return down ? rowPass({ data, offset: -first * width * 3, stride: width * 3, width, height }, down) : data;
  });
}

/** The vertical pass: output row j is a weighted sum of input rows, eight bytes at a time. */
export function rowPass(
  { data, offset, stride, width }: View,
  { outputs, taps, first, count, weights }: Axis,
): Uint8Array<ArrayBuffer> {
  const bytes = width * 3;
  const out = new Uint8Array(outputs * bytes);
  for (let j = 0, o = 0; j < outputs; j++) {
    const start = (j * taps) & INDEX;
    const used = count[j]!;
    const end = (start + used) & INDEX;
    const top = offset + first[j]! * stride;
    let x = 0;
    for (; x + 7 < bytes; x += 8, o += 8) {
      let a = HALF;
      let b = HALF;
      let c = HALF;
      let d = HALF;
      let e = HALF;
      let f = HALF;
      let g = HALF;
      let h = HALF;
      for (let t = start, p = (top + x) & INDEX; t < end; t++, p = (p + stride) & INDEX) {
        const w = weights[t]!;
        a = (a + Math.imul(w, data[p]!)) | 0;
        b = (b + Math.imul(w, data[p + 1]!)) | 0;
        c = (c + Math.imul(w, data[p + 2]!)) | 0;
        d = (d + Math.imul(w, data[p + 3]!)) | 0;
        e = (e + Math.imul(w, data[p + 4]!)) | 0;
        f = (f + Math.imul(w, data[p + 5]!)) | 0;
        g = (g + Math.imul(w, data[p + 6]!)) | 0;
        h = (h + Math.imul(w, data[p + 7]!)) | 0;
      }
      out[o] = toByte(a);
      out[o + 1] = toByte(b);
      out[o + 2] = toByte(c);
      out[o + 3] = toByte(d);
      out[o + 4] = toByte(e);
      out[o + 5] = toByte(f);
      out[o + 6] = toByte(g);
      out[o + 7] = toByte(h);
    }
    for (; x < bytes; x++, o++) {
      let a = HALF;
      for (let t = 0, p = top + x; t < used; t++, p += stride) a = (a + Math.imul(weights[start + t]!, data[p]!)) | 0;
      out[o] = toByte(a);
    }
  }
  return out;
}

/** The horizontal pass into `outs`, for several outputs of the same rows: output column j is a weighted sum of input columns. */
export function columnPass(view: View, axes: readonly Axis[], outs: readonly Uint8Array[]): void {
  const errors = axes.map(packingError);
  if (errors.some((error) => error !== undefined)) packedPass(view, axes, errors, outs);
  for (const [i, axis] of axes.entries())
    if (errors[i] === undefined) for (let y = 0; y < view.height; y++) singleRow(view, axis, y, outs[i]!);
}

type Maybe = number | undefined;

/** The outputs whose `errors` are known, four rows at a time; rows are packed once for all of them. */
function packedPass(view: View, axes: readonly Axis[], errors: readonly Maybe[], outs: readonly Uint8Array[]): void {
  const { data, offset, stride, width, height } = view;
  const packed = packedBuffer(width);
  for (let y = 0; y < height; y += PACKED_ROWS) {
    // What a last group lacks is made up by its last row, again.
    const rows = (step: number, start: number): Rows => {
      const row = (i: number): number => start + Math.min(y + i, height - 1) * step;
      return [row(0), row(1), row(2), row(3)];
    };
    packRows(data, rows(stride, offset), width * 3, packed);
    for (let i = 0; i < axes.length; i++)
      if (errors[i] !== undefined) resampleRows(packed, axes[i]!, outs[i]!, rows(axes[i]!.outputs * 3, 0), errors[i]!);
  }
}

function singleRow({ data, offset, stride }: View, axis: Axis, y: number, out: Uint8Array): void {
  const { outputs, taps, first, count, weights } = axis;
  const row = offset + y * stride;
  for (let j = 0, o = y * outputs * 3; j < outputs; j++, o += 3) {
    let r = HALF;
    let g = HALF;
    let b = HALF;
    const end = j * taps + count[j]!;
    for (let k = j * taps, p = row + first[j]! * 3; k < end; k++, p += 3) {
      const w = weights[k]!;
      r = (r + Math.imul(w, data[p]!)) | 0;
      g = (g + Math.imul(w, data[p + 1]!)) | 0;
      b = (b + Math.imul(w, data[p + 2]!)) | 0;
    }
    out[o] = toByte(r);
    out[o + 1] = toByte(g);
    out[o + 2] = toByte(b);
  }
}
