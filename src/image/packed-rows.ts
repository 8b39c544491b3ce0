/**
 * Four rows at the price of two in the horizontal pass. A byte of row y and the byte below it are packed into one double as a + b·2³¹; a
 * weighted sum of such doubles holds both rows' sums, so the loop loads and multiplies half as often. The result is exact all the same:
 * - A double has 53 bits and the sum needs up to 62, so the low half comes out with an error; `packingError` bounds it.
 * - The upper half is exact, because the lower one never reaches the upper one's last bit (checked per axis).
 * - Where the lower half lies so near to a rounding boundary that the error could matter, it is summed again in integers.
 */
import { type Axis, PRECISION_BITS } from "./filters.ts";

// Engines fold constants and small functions of the same file into a loop, imported ones they do not.
const SHIFT = PRECISION_BITS;
const toByte = (sum: number): number => Math.max(0, Math.min(255, sum >> SHIFT));
const HALF = 1 << (SHIFT - 1);
const FRACTION = (1 << SHIFT) - 1;
const LANE = 2 ** 31;
/** Engines do not turn a division by a power of two into a multiplication. */
const PER_LANE = 2 ** -31;
/** Added before the upper half is split off, so that a negative lower half (overshoot) does not borrow from it. */
const BORROW = 2 ** 29;
const START = HALF + HALF * LANE;
/** A mask that changes no index here, but tells engines that adding to it cannot overflow. */
const INDEX = 0x3fffffff;

/** Many taps mean many repeated sums: past this the plain loop wins. A power of two. */
const MAX_TAPS = 512;

/** Rows that are packed together. */
export const PACKED_ROWS = 4;

/**
 * The largest error of the lower half for this axis, or undefined when rows cannot be packed. Partial sums stay below 2⁶², where a double's
 * rounding error is at most 2⁸; each tap rounds twice.
 */
export function packingError({ taps, highest, lowest }: Axis): number | undefined {
  const error = (taps + 4) * 2 ** 9;
  const fits = highest + HALF + error < LANE - BORROW && lowest + HALF - error > -BORROW;
  return fits && taps <= MAX_TAPS ? error : undefined;
}

/** Offsets of four rows. */
export type Rows = readonly [number, number, number, number];

/** Room for packed rows of `width` pixels, and for one more pixel, as windows are read in steps of two. */
export const packedBuffer = (width: number): Float64Array => new Float64Array((width + 1) * 6);

/** b·2³¹ for every byte: a look-up costs less than a conversion and a product. */
const UPPER = Float64Array.from({ length: 256 }, (_, b) => b * LANE);

/** Packs four rows of `bytes` bytes: byte i of the first two at 2i, of the other two at 2i + 1. */
export function packRows(data: Uint8Array, [a, b, c, d]: Rows, bytes: number, packed: Float64Array): void {
  const first = data.subarray(a, a + bytes);
  const second = data.subarray(b, b + bytes);
  const third = data.subarray(c, c + bytes);
  const fourth = data.subarray(d, d + bytes);
  for (let i = 0; i < bytes; i++) {
    packed[2 * i] = first[i]! + UPPER[second[i]!]!;
    packed[2 * i + 1] = third[i]! + UPPER[fourth[i]!]!;
  }
}

/**
 * Resamples four packed rows into the rows of `out` that begin at `rows`. `error` is the axis's packingError. One long function, because
 * engines box the doubles that cross into functions which they do not inline: in pieces it takes a fifth longer.
 */
export function resampleRows(packed: Float64Array, axis: Axis, out: Uint8Array, rows: Rows, error: number): void {
  const { outputs, taps, first, count, doubles } = axis;
  let [o0, o1, o2, o3] = rows;
  for (let j = 0; j < outputs; j++) {
    let r0 = START;
    let r1 = START;
    let g0 = START;
    let g1 = START;
    let b0 = START;
    let b1 = START;
    const pairs = ((count[j]! + 1) >> 1) & (MAX_TAPS - 1);
    const k0 = (j * taps) & INDEX;
    const p0 = (first[j]! * 6) & INDEX;
    for (let t = 0; t < pairs; t++) {
      const p = p0 + t * 12;
      const v = doubles[k0 + t * 2]!;
      const w = doubles[k0 + t * 2 + 1]!;
      r0 += v * packed[p]! + w * packed[p + 6]!;
      r1 += v * packed[p + 1]! + w * packed[p + 7]!;
      g0 += v * packed[p + 2]! + w * packed[p + 8]!;
      g1 += v * packed[p + 3]! + w * packed[p + 9]!;
      b0 += v * packed[p + 4]! + w * packed[p + 10]!;
      b1 += v * packed[p + 5]! + w * packed[p + 11]!;
    }
    // The sums of a pair's second row, exact; then those of its first, within the error.
    const red0 = Math.floor((r0 + BORROW) * PER_LANE);
    const red1 = Math.floor((r1 + BORROW) * PER_LANE);
    const green0 = Math.floor((g0 + BORROW) * PER_LANE);
    const green1 = Math.floor((g1 + BORROW) * PER_LANE);
    const blue0 = Math.floor((b0 + BORROW) * PER_LANE);
    const blue1 = Math.floor((b1 + BORROW) * PER_LANE);
    const redLow0 = (r0 - red0 * LANE) | 0;
    const redLow1 = (r1 - red1 * LANE) | 0;
    const greenLow0 = (g0 - green0 * LANE) | 0;
    const greenLow1 = (g1 - green1 * LANE) | 0;
    const blueLow0 = (b0 - blue0 * LANE) | 0;
    const blueLow1 = (b1 - blue1 * LANE) | 0;
    out[o0] = toByte(redLow0);
    out[o0 + 1] = toByte(greenLow0);
    out[o0 + 2] = toByte(blueLow0);
    out[o1] = toByte(red0);
    out[o1 + 1] = toByte(green0);
    out[o1 + 2] = toByte(blue0);
    out[o2] = toByte(redLow1);
    out[o2 + 1] = toByte(greenLow1);
    out[o2 + 2] = toByte(blueLow1);
    out[o3] = toByte(red1);
    out[o3 + 1] = toByte(green1);
    out[o3 + 2] = toByte(blue1);
    if (isNear(redLow0, error)) out[o0] = firstByte(packed, axis, j, 0);
    if (isNear(redLow1, error)) out[o2] = firstByte(packed, axis, j, 1);
    if (isNear(greenLow0, error)) out[o0 + 1] = firstByte(packed, axis, j, 2);
    if (isNear(greenLow1, error)) out[o2 + 1] = firstByte(packed, axis, j, 3);
    if (isNear(blueLow0, error)) out[o0 + 2] = firstByte(packed, axis, j, 4);
    if (isNear(blueLow1, error)) out[o2 + 2] = firstByte(packed, axis, j, 5);
    o0 += 3;
    o1 += 3;
    o2 += 3;
    o3 += 3;
  }
}

/** Whether `error` could carry the sum over a multiple of 2²². */
const isNear = (sum: number, error: number): boolean => ((sum + error) & FRACTION) <= 2 * error;

/** Output j of a pair's first row again, summed in integers; `lane` counts the six doubles of a pixel. */
function firstByte(packed: Float64Array, { taps, first, count, weights }: Axis, j: number, lane: number): number {
  const start = j * taps;
  const end = start + count[j]!;
  let sum = HALF;
  for (let k = start, p = first[j]! * 6 + lane; k < end; k++, p += 6) {
    const value = packed[p]! - Math.floor(packed[p]! * PER_LANE) * LANE;
    sum = (sum + Math.imul(weights[k]!, value)) | 0;
  }
  return toByte(sum);
}
