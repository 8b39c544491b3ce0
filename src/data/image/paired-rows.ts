/**
 * Two rows in one multiplication. A byte of row y and the byte below it are packed into one double as a + b·2³¹; a weighted sum of such
 * doubles holds both rows' sums, so the loop loads and multiplies half as often. The result is exact all the same:
 * - A double has 53 bits and the sum needs up to 62, so the low half comes out with an error; `pairingError` bounds it.
 * - The upper half is exact, because the lower one never reaches the upper one's last bit (checked per axis).
 * - Where the lower half lies so near to a rounding boundary that the error could matter, it is summed again in integers.
 */
import { type Axis, PRECISION_BITS, toByte } from "./filters.ts";

const HALF = 2 ** (PRECISION_BITS - 1);
const FRACTION = 2 ** PRECISION_BITS - 1;
const LANE = 2 ** 31;
/** Added before the upper half is split off, so that a negative lower half (overshoot) does not borrow from it. */
const BORROW = 2 ** 29;

/**
 * The largest error of the lower half for this axis, or undefined when rows cannot be paired. Partial sums stay below 2⁶², where a double's
 * rounding error is at most 2⁸; each tap rounds twice. Many taps mean many repeated sums, so past 512 the plain loop wins.
 */
export function pairingError({ taps, highest, lowest }: Axis): number | undefined {
  const error = (taps + 4) * 2 ** 9;
  const fits = highest + HALF + error < LANE - BORROW && lowest + HALF - error > -BORROW;
  return fits && taps <= 512 ? error : undefined;
}

/** Packs the rows at `upper` and `lower` (offsets into `data`) into `packed`; what lies behind them there must be 0. */
export function packRows(data: Uint8Array, lower: number, upper: number, bytes: number, packed: Float64Array): void {
  for (let i = 0; i < bytes; i++) packed[i] = data[lower + i]! + data[upper + i]! * LANE;
}

/** Where a pair of output rows goes (offsets into `out`) and what bounds its error. */
export interface PairTarget {
  readonly out: Uint8Array;
  readonly lower: number;
  readonly upper: number;
  readonly error: number;
}

/** Resamples a packed pair of rows into two rows of `out`. */
export function resamplePair(packed: Float64Array, axis: Axis, { out, lower, upper, error }: PairTarget): void {
  const { outputs, taps, first, count, doubles } = axis;
  const start = HALF + HALF * LANE;
  for (let j = 0, o = 0; j < outputs; j++, o += 3) {
    let r = start;
    let g = start;
    let b = start;
    let r1 = 0;
    let g1 = 0;
    let b1 = 0;
    const end = j * taps + count[j]!;
    for (let k = j * taps, p = first[j]! * 3; k < end; k += 2, p += 6) {
      const w = doubles[k]!;
      const w1 = doubles[k + 1]!;
      r += w * packed[p]!;
      g += w * packed[p + 1]!;
      b += w * packed[p + 2]!;
      r1 += w1 * packed[p + 3]!;
      g1 += w1 * packed[p + 4]!;
      b1 += w1 * packed[p + 5]!;
    }
    r += r1;
    g += g1;
    b += b1;
    const rHigh = Math.floor((r + BORROW) / LANE);
    const gHigh = Math.floor((g + BORROW) / LANE);
    const bHigh = Math.floor((b + BORROW) / LANE);
    const rLow = (r - rHigh * LANE) | 0;
    const gLow = (g - gHigh * LANE) | 0;
    const bLow = (b - bHigh * LANE) | 0;
    out[upper + o] = toByte(rHigh);
    out[upper + o + 1] = toByte(gHigh);
    out[upper + o + 2] = toByte(bHigh);
    out[lower + o] = toByte(rLow);
    out[lower + o + 1] = toByte(gLow);
    out[lower + o + 2] = toByte(bLow);
    if (isNear(rLow, error) || isNear(gLow, error) || isNear(bLow, error))
      rewriteLower(packed, axis, j, out, lower + o);
  }
}

/** Whether `error` could carry the sum over a multiple of 2²². */
const isNear = (sum: number, error: number): boolean => ((sum + error) & FRACTION) <= 2 * error;

/** Sums the lower row's pixel j again, in integers. */
function rewriteLower(packed: Float64Array, axis: Axis, j: number, out: Uint8Array, at: number): void {
  const { taps, first, count, weights } = axis;
  for (let channel = 0; channel < 3; channel++) {
    let sum = HALF;
    for (let k = 0, p = first[j]! * 3 + channel; k < count[j]!; k++, p += 3) {
      const value = packed[p]! - Math.floor(packed[p]! / LANE) * LANE;
      sum = (sum + Math.imul(weights[j * taps + k]!, value)) | 0;
    }
    out[at + channel] = toByte(sum);
  }
}
