/** The weights of Pillow's resampling filters, per axis, as 22-bit integers (Pillow, src/libImaging/Resample.c). */
import { weightTape } from "./wasm/tape.ts";

/** Pillow's names in lower case. `box` averages whole source pixels (area resizing when shrinking). */
export type Filter = "box" | "bilinear" | "bicubic" | "lanczos";

/** Fractional bits of a weight: 32 − 8 (pixel) − 2 (head room for overshoot and sign). */
export const PRECISION_BITS = 22;

/** How each output index of one axis is made: `count[j]` source indices from `first[j]`, weights from `j · taps`. */
export interface Axis {
  readonly outputs: number;
  /** Room per output in `weights`, an even number; unused places are 0. */
  readonly taps: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  /** The same weights. */
  readonly doubles: Float64Array;
  /** Largest and smallest value that an output can reach before the shift by PRECISION_BITS. */
  readonly highest: number;
  readonly lowest: number;
  /** first, count and weights as the kernel reads them (weightTape). */
  readonly tape: Int32Array;
}

/** One axis of a resize: `size` source pixels of which [from, to) is stretched over `outputs` pixels. */
export interface AxisSpec {
  readonly size: number;
  readonly from: number;
  readonly to: number;
  readonly outputs: number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

function bicubic(value: number): number {
  const a = -0.5;
  const x = Math.abs(value);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

const FILTERS: { readonly [F in Filter]: { readonly support: number; readonly weight: (x: number) => number } } = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Random crops of photos ask for some hundreds of axes, again and again; making one takes up to a tenth of a resize. */
const CACHE_BYTES = 32 * 2 ** 20;
/** The least recently used first. */
const cache = new Map<string, Axis>();
let cachedBytes = 0;

/** The weights of one axis, from a cache or computed. `from` and `to` are taken as float32, as Pillow does. */
export function axisWeights(filter: Filter, { size, from, to, outputs }: AxisSpec): Axis {
  const key = `${filter} ${size} ${from} ${to} ${outputs}`;
  const known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const axis = computeAxis(filter, { size, from: Math.fround(from), to: Math.fround(to), outputs });
  cache.set(key, axis);
  cachedBytes += bytesOf(axis);
  for (const [oldest, old] of cache) {
    if (cachedBytes <= CACHE_BYTES) break;
    cache.delete(oldest);
    cachedBytes -= bytesOf(old);
  }
  return axis;
}

const bytesOf = ({ weights, doubles, tape, first }: Axis): number =>
  weights.byteLength + doubles.byteLength + tape.byteLength + 2 * first.byteLength;

function computeAxis(filter: Filter, { size, from, to, outputs }: AxisSpec): Axis {
  const { weight, support } = FILTERS[filter];
  const scale = Math.fround(to - from) / outputs;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const taps = Math.ceil(reach) * 2 + 2;
  const inverse = 1 / stretch;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weights = new Int32Array(outputs * taps);
  const raw = new Float64Array(taps);

  for (let j = 0; j < outputs; j++) {
    const center = from + (j + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - reach + 0.5));
    const high = Math.min(size, Math.trunc(center + reach + 0.5));
    let total = 0;
    for (let k = low; k < high; k++) {
      const w = weight((k - center + 0.5) * inverse);
      raw[k - low] = w;
      total += w;
    }
    first[j] = low;
    count[j] = high - low;
    for (let k = 0; k < high - low; k++) weights[j * taps + k] = quantize(total === 0 ? raw[k]! : raw[k]! / total);
  }
  const doubles = new Float64Array(weights);
  const axis = { outputs, taps, first, count, weights, doubles, ...reachOf(weights, taps) };
  return { ...axis, tape: weightTape(axis) };
}

/** The extremes of a weighted sum of bytes, over all outputs. */
function reachOf(weights: Int32Array, taps: number): { highest: number; lowest: number } {
  let [highest, lowest] = [0, 0];
  for (let start = 0; start < weights.length; start += taps) {
    let [positive, negative] = [0, 0];
    for (let k = start; k < start + taps; k++) {
      if (weights[k]! > 0) positive += weights[k]!;
      else negative += weights[k]!;
    }
    highest = Math.max(highest, positive);
    lowest = Math.min(lowest, negative);
  }
  return { highest: highest * 255, lowest: lowest * 255 };
}

/** Rounds half away from zero. */
const quantize = (w: number): number => Math.trunc(w * 2 ** PRECISION_BITS + (w < 0 ? -0.5 : 0.5));
