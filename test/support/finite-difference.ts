/** Derivatives by finite differences in float64: the second opinion on every gradient. */
import { cast, type Graph, grad, graph, input, mul, sum, type Value } from "../../src/graph/index.ts";
import { interpret } from "../../src/graph/interpret/index.ts";
import { fromNumbers, random, size, type Tensor, toNumbers } from "../../src/tensor/index.ts";

type Feeds = Readonly<Record<string, Tensor>>;

const STEP = 3e-4;

/** Standard normal numbers, a function of the name alone. */
export function normals(name: string, shape: readonly number[]): Tensor {
  const rng = random(1, name);
  return fromNumbers(Array.from({ length: size(shape) }, rng.normal), shape, "float64");
}

/** `feeds` with `t · direction` added to one of them, in float64. */
function moved(feeds: Feeds, name: string, direction: readonly number[], t: number): Feeds {
  const at = toNumbers(feeds[name]!);
  const values = at.map((x, i) => x + t * direction[i]!);
  return { ...feeds, [name]: fromNumbers(values, feeds[name]!.shape, "float64") };
}

/** d/dt of a scalar at `name` + t·direction, by the five-point stencil (error of order STEP⁴). */
function slope(of: (feeds: Feeds) => number, feeds: Feeds, name: string, direction: readonly number[]): number {
  const at = (t: number): number => of(moved(feeds, name, direction, t * STEP));
  return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP);
}

export interface DerivativeError {
  readonly name: string;
  readonly analytic: number;
  readonly numeric: number;
  /** |analytic − numeric| relative to Σ |gradient·direction|, or to 1e-3 where that is smaller. */
  readonly error: number;
}

/** Compares `grad` with finite differences along one random direction for each input in `names`. */
export function derivativeErrors(loss: Value, wrt: readonly Value<"input">[], feeds: Feeds): DerivativeError[] {
  const names = wrt.map((v) => v.attrs.name);
  const gradients = grad(loss, wrt);
  const analytic = graph("gradients", Object.fromEntries(names.map((name, i) => [name, gradients[i]!])));
  const scalar = graph("loss", { loss });
  const computed = interpret(analytic, only(analytic, feeds));
  const lossAt = (at: Feeds): number => toNumbers(interpret(scalar, only(scalar, at)).loss!)[0]!;
  return names.map((name) => {
    const direction = toNumbers(normals(`direction ${name}`, feeds[name]!.shape));
    const products = toNumbers(computed[name]!).map((x, i) => x * direction[i]!);
    const total = products.reduce((a, b) => a + b, 0);
    const scale = Math.max(
      1e-3,
      products.reduce((a, b) => a + Math.abs(b), 0),
    );
    const numeric = slope(lossAt, feeds, name, direction);
    const error = Math.abs(total - numeric) / scale;
    return { name, analytic: total, numeric, error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error };
  });
}

/** The feeds that a graph has inputs for. */
export const only = (g: Graph, feeds: Feeds): Feeds =>
  Object.fromEntries(Object.entries(feeds).filter(([name]) => Object.hasOwn(g.inputs, name)));

/** Σ value·p with a random p as another input, so that every element of a value counts, each differently. */
export function project(value: Value, name: string): { loss: Value; weight: Value<"input">; feeds: Feeds } {
  const weight = input(name, value.shape) as Value<"input">;
  return { loss: sum(mul(cast(value, "float32"), weight)), weight, feeds: { [name]: normals(name, value.shape) } };
}
