/** How far a figure could have come out otherwise on other samples of the same kind. */
import { DataError } from "../../errors.ts";
import { random } from "../../tensor/index.ts";

/** The middle `level` of a figure's bootstrap distribution. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Resamples on which the figure was not defined (one class only, say); they are left out. */
  readonly undefined: number;
}

/** How the interval is found. */
export interface BootstrapOptions {
  /** Default 1000. */
  readonly resamples?: number;
  /** Share of the distribution between the bounds; default 0.95. */
  readonly level?: number;
  readonly seed?: number;
}

/**
 * Percentile interval (Efron, 1979): `figure` of `count` samples drawn with replacement, many times. `figure` gets the samples' places.
 * Both bounds are NaN where it was defined on no resample.
 */
export function bootstrap(
  count: number,
  figure: (places: Int32Array) => number,
  { resamples = 1000, level = 0.95, seed = 0 }: BootstrapOptions = {},
): Interval {
  if (count === 0) throw new DataError("bootstrap: expected samples, got none");
  const found: number[] = [];
  const places = new Int32Array(count);
  for (let r = 0; r < resamples; r++) {
    const rng = random(seed, "bootstrap", r);
    for (let i = 0; i < count; i++) places[i] = rng.integer(count);
    const value = defined(figure, places);
    if (value !== undefined) found.push(value);
  }
  found.sort((a, b) => a - b);
  const tail = (1 - level) / 2;
  return { low: quantile(found, tail), high: quantile(found, 1 - tail), undefined: resamples - found.length };
}

function defined(figure: (places: Int32Array) => number, places: Int32Array): number | undefined {
  try {
    const value = figure(places);
    return Number.isFinite(value) ? value : undefined;
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

/** Linear between neighbours, as NumPy has it. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below === undefined || above === undefined ? Number.NaN : below + (above - below) * (at - Math.floor(at));
}

/** Values at some places, in that order. */
export const at = (values: ArrayLike<number>, places: Int32Array): Float64Array =>
  Float64Array.from(places, (i) => values[i]!);
