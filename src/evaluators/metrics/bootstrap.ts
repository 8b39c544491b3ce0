/** How far a figure could have come out otherwise on other samples of the same kind. */
import { DataError } from "../../errors.ts";
import { type Random, random } from "../../tensor/index.ts";

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
  readonly seed?: number | undefined;
  /** Sizes of groups that lie one behind the other: from each, as many samples are drawn as it has. One group of all unless given. */
  readonly strata?: readonly number[] | undefined;
}

/**
 * Percentile interval (Efron, 1979): `figure` of `count` samples drawn with replacement, many times. `figure` gets the samples' places.
 * Both bounds are NaN where it was defined on no resample.
 */
export const bootstrap = (
  count: number,
  figure: (places: Int32Array) => number,
  options: BootstrapOptions = {},
): Interval => bootstrapAll(count, { figure }, options).figure;

/** The same for several figures on the same draws. */
export function bootstrapAll<K extends string | number>(
  count: number,
  figures: Readonly<Record<K, (places: Int32Array) => number>>,
  { resamples = 1000, level = 0.95, seed = 0, strata = [count] }: BootstrapOptions = {},
): Record<K, Interval> {
  if (count === 0) throw new DataError("bootstrap: expected samples, got none");
  const all = Object.entries<(places: Int32Array) => number>(figures);
  const found = all.map((): number[] => []);
  const places = new Int32Array(count);
  for (let r = 0; r < resamples; r++) {
    draw(places, strata, random(seed, "bootstrap", r));
    for (const [f, [, figure]] of all.entries()) {
      const value = defined(figure, places);
      if (value !== undefined) found[f]!.push(value);
    }
  }
  const tail = (1 - level) / 2;
  const intervals = all.map(([name], f) => {
    const sorted = found[f]!.sort((a, b) => a - b);
    return [
      name,
      { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), undefined: resamples - sorted.length },
    ];
  });
  return Object.fromEntries(intervals) as Record<K, Interval>;
}

function draw(places: Int32Array, strata: readonly number[], rng: Random): void {
  let first = 0;
  for (const size of strata) {
    for (let i = first; i < first + size; i++) places[i] = first + rng.integer(size);
    first += size;
  }
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
