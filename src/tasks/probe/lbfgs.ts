/** Minimisation of a smooth function of many variables: limited-memory BFGS (Nocedal & Wright, Numerical Optimization, ch. 7). */

/** A function's value and gradient at one place. */
export interface Evaluated {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** What is minimised, and when to stop. */
export interface MinimizeOptions {
  evaluate(x: Float64Array): Promise<Evaluated>;
  readonly start: Float64Array;
  readonly maxIterations: number;
  /** The largest absolute entry of the gradient at which the search ends. */
  readonly tolerance: number;
  /** Pairs of steps and gradients that are remembered; default 10. */
  readonly history?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where the search ended. */
export interface Minimum extends Evaluated {
  readonly x: Float64Array;
  readonly iterations: number;
  /** Calls of `evaluate`. */
  readonly evaluations: number;
  /** Largest absolute entry of the gradient. */
  readonly gradientNorm: number;
  /** "tolerance" is reached; "precision": neither value nor gradient gets smaller in float64; or the iterations are used up. */
  readonly ended: "tolerance" | "precision" | "iterations";
}

interface Correction {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly rho: number;
}

/** Steps within the rounding of the value, none of which has a smaller gradient than the best, after which a search ends. */
const MOST_IDLE = 20;

/** Searches from `start` downhill. Deterministic, given a deterministic function. */
export async function minimize(options: MinimizeOptions): Promise<Minimum> {
  const { start, maxIterations, tolerance, history = 10, signal } = options;
  let evaluations = 0;
  const evaluate = (x: Float64Array): Promise<Evaluated> => {
    evaluations++;
    return options.evaluate(x);
  };
  let [x, at, idle] = [start, await evaluate(start), 0];
  let best = { x, at, gradientNorm: largest(at.gradient) };
  const corrections: Correction[] = [];
  for (let iterations = 0; ; iterations++) {
    const gradientNorm = largest(at.gradient);
    idle = gradientNorm < best.gradientNorm || at.value < best.at.value - rounding(at.value) ? 0 : idle + 1;
    if (idle === 0) best = { x, at, gradientNorm };
    const end = (ended: Minimum["ended"]): Minimum => ({
      ...best.at,
      ...{ x: best.x, gradientNorm: best.gradientNorm, iterations, evaluations, ended },
    });
    if (gradientNorm <= tolerance) return end("tolerance");
    if (iterations === maxIterations) return end("iterations");
    if (idle === MOST_IDLE) return end("precision");
    signal?.throwIfAborted();
    const direction = downhill(at.gradient, corrections);
    const first = corrections.length === 0 ? Math.min(1, 1 / norm(at.gradient)) : 1;
    const next = await lineSearch(evaluate, x, at, direction, first);
    if (!next) {
      if (corrections.length === 0) return end("precision");
      corrections.length = 0; // what is remembered misleads: once more along the gradient
      continue;
    }
    remember(corrections, difference(next.x, x), difference(next.at.gradient, at.gradient), history);
    x = next.x;
    at = next.at;
  }
}

function remember(corrections: Correction[], step: Float64Array, change: Float64Array, history: number): void {
  const curvature = dot(step, change);
  if (!(curvature > 2.2e-16 * dot(change, change))) return;
  corrections.push({ step, change, rho: 1 / curvature });
  if (corrections.length > history) corrections.shift();
}

/** −H·g by the two-loop recursion. */
function downhill(gradient: Float64Array, corrections: readonly Correction[]): Float64Array {
  const q = gradient.map((g) => -g);
  const factors: number[] = [];
  for (const { step, change, rho } of corrections.toReversed()) {
    const factor = rho * dot(step, q);
    factors.unshift(factor);
    addScaled(q, change, -factor);
  }
  const last = corrections.at(-1);
  if (last) scale(q, 1 / (last.rho * dot(last.change, last.change)));
  for (const [i, { step, change, rho }] of corrections.entries())
    addScaled(q, step, factors[i]! - rho * dot(change, q));
  return q;
}

interface Found {
  readonly x: Float64Array;
  readonly at: Evaluated;
}

/** Sufficient decrease and curvature, the strong Wolfe conditions; SciPy's constants are 1e-3 and 0.9. */
const [DECREASE, CURVATURE] = [1e-4, 0.9];
const MOST_TRIALS = 30;
/** The same, of those whose values differ by rounding alone. */
const MOST_LEVEL_TRIALS = 6;
/** The most that a step that is not given up grows at once. */
const MOST_GROWTH = 10;

/** Differences of values below it are not told from rounding: a sum of many terms has about 1e-14 of itself. */
const rounding = (value: number): number => 1e-13 * Math.abs(value);

/**
 * A step along `direction` that fulfils the strong Wolfe conditions: lengthened until a minimum is bracketed, then narrowed by cubic
 * interpolation. Where values differ by rounding alone, slopes decide (Hager and Zhang, 2005, "approximate Wolfe"). Undefined where no
 * smaller value is found.
 */
async function lineSearch(
  evaluate: MinimizeOptions["evaluate"],
  x: Float64Array,
  at: Evaluated,
  direction: Float64Array,
  first: number,
): Promise<Found | undefined> {
  const slope = dot(at.gradient, direction);
  if (!(slope < 0)) return undefined;
  let low: Trial = { t: 0, value: at.value, slope, found: undefined };
  let high: Trial | undefined;
  let [t, levels] = [first, 0];
  for (let trial = 0; trial < MOST_TRIALS && levels < MOST_LEVEL_TRIALS; trial++) {
    const now = await tryStep(evaluate, x, direction, t);
    const level = Math.abs(now.value - low.value) <= rounding(low.value);
    if (level) levels++;
    const lower = now.value <= at.value + DECREASE * t * slope && !(low.found && now.value >= low.value);
    const grown = !high && now.slope < 0 ? longer(low, now) : t * 2;
    if (level ? now.slope > -CURVATURE * slope : !lower) high = now;
    else if (Math.abs(now.slope) <= -CURVATURE * slope) return now.found;
    else if (now.slope * ((high?.t ?? Number.POSITIVE_INFINITY) - low.t) >= 0) {
      high = low;
      low = now;
    } else low = now;
    if (high && Math.abs(high.t - low.t) < 1e-14 * Math.max(1, Math.abs(low.t))) break;
    t = high ? between(low, high) : Math.min(grown, 1e10);
  }
  return low.found && low.value < at.value ? low.found : undefined;
}

/** Where the slope would vanish if it went on as from `a` to `b`, from two to ten times as far as `b`. */
function longer(a: Trial, b: Trial): number {
  const zero = b.slope > a.slope ? b.t + ((b.t - a.t) * b.slope) / (a.slope - b.slope) : Number.POSITIVE_INFINITY;
  return Math.min(MOST_GROWTH * b.t, Math.max(2 * b.t, zero));
}

interface Trial {
  readonly t: number;
  readonly value: number;
  readonly slope: number;
  readonly found: Found | undefined;
}

async function tryStep(
  evaluate: MinimizeOptions["evaluate"],
  x: Float64Array,
  direction: Float64Array,
  t: number,
): Promise<Trial> {
  const moved = x.slice();
  addScaled(moved, direction, t);
  const at = await evaluate(moved);
  return { t, value: at.value, slope: dot(at.gradient, direction), found: { x: moved, at } };
}

/** The minimum of the cubic through two trials, or where their slopes vanish if their values are level; a tenth away from both. */
function between(a: Trial, b: Trial): number {
  const width = b.t - a.t;
  const level = Math.abs(a.value - b.value) <= rounding(a.value);
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.t - b.t);
  const d2 = Math.sign(width) * Math.sqrt(d1 * d1 - a.slope * b.slope);
  const best = level
    ? a.t + (width * a.slope) / (a.slope - b.slope)
    : b.t - (width * (b.slope + d2 - d1)) / (b.slope - a.slope + 2 * d2);
  const [from, to] = [Math.min(a.t, b.t), Math.max(a.t, b.t)];
  const margin = 0.1 * (to - from);
  return best >= from + margin && best <= to - margin ? best : (from + to) / 2;
}

const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

function largest(a: Float64Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]!));
  return most;
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  const out = a.slice();
  addScaled(out, b, -1);
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(to: Float64Array, what: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * what[i]!;
}

function scale(a: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! *= factor;
}
