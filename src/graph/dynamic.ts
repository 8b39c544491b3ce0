/**
 * Graphs with axes whose lengths each run decides: samples in a batch, tokens of a text. Shapes in a graph are numbers, so such a graph
 * is a function of these lengths. It is traced at a few, and a size that differs between the traces is written as an expression
 * in the lengths, which is linear in each of them; one more trace checks the expressions.
 */
import { ConfigError, ShapeError } from "../errors.ts";
import { formatShape } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";
import type { GraphDType } from "./primitives.ts";
import type { Value } from "./value.ts";

/** Lengths by the names of axes. */
export type AxisSizes = Readonly<Record<string, number>>;

/** A graph for any lengths of its axes. */
export interface DynamicGraph {
  readonly name: string;
  /** The axes that are left open; `max` is the longest that the graph can be built for. */
  readonly axes: Readonly<Record<string, { readonly max?: number | undefined }>>;
  /** The graph of given lengths. Everything but sizes must be the same for all lengths. */
  trace(sizes: AxisSizes): Graph;
}

/** A sum of products of lengths: {factor: 1, axes: ["batch_size"]} + {factor: 18, axes: []}. */
export type Extent = readonly { readonly factor: number; readonly axes: readonly string[] }[];

/** A size that is fixed, or that follows from the lengths. */
export type Size = number | Extent;

/** A graph input or output with open axes. */
export interface DynamicPort {
  readonly dtype: GraphDType;
  readonly shape: readonly Size[];
}

/** Something made at several lengths: 2ⁿ corners (corner k has the longer length of axis i where bit i of k is set), then checks. */
export interface Samples<T> {
  readonly axes: readonly string[];
  readonly sizes: readonly AxisSizes[];
  readonly of: readonly T[];
}

/** Whether a graph has open axes. */
export const isDynamic = (g: object): g is DynamicGraph => "trace" in g;

/**
 * Traces a graph at the corners and at one more place.
 * @throws ConfigError where an axis has fewer than three lengths from 2 and below its longest: one, and the longest, make graphs simpler.
 */
export function sample(g: DynamicGraph): Samples<Graph> {
  const axes = Object.keys(g.axes);
  const chosen = axes.map((axis, i) => lengths(g, axis, i));
  const at = (pick: (i: number) => number): AxisSizes =>
    Object.fromEntries(axes.map((axis, i) => [axis, chosen[i]![pick(i)]!]));
  const sizes = Array.from({ length: 2 ** axes.length }, (_, k) => at((i) => (k >> i) & 1));
  sizes.push(at(() => 2));
  return { axes, sizes, of: sizes.map((s) => g.trace(s)) };
}

/** Three lengths; those of different axes differ, so that none is taken for the other. */
function lengths(g: DynamicGraph, axis: string, i: number): number[] {
  const max = g.axes[axis]!.max ?? Number.POSITIVE_INFINITY;
  const own = [3, 5, 7, 4, 6, 9, 2, 8].map((_, k, all) => all[(k + 3 * i) % all.length]!);
  const fit = own.filter((n) => n < max).slice(0, 3);
  if (fit.length < 3)
    throw new ConfigError(`${g.name}: axis "${axis}": expected a longest length from 5 to leave it open, got ${max}`);
  return fit;
}

/** The expression behind a size of every sample, or undefined where none is linear in each length. */
export function extentOf({ axes, sizes }: Samples<unknown>, values: readonly number[]): Size | undefined {
  if (values.every((v) => v === values[0])) return values[0]!;
  const corners = 2 ** axes.length;
  const factors = values.slice(0, corners);
  axes.forEach((axis, i) => {
    const [low, high] = [sizes[0]![axis]!, sizes[1 << i]![axis]!];
    for (let k = 0; k < corners; k++) {
      if (!((k >> i) & 1)) continue;
      const slope = (factors[k]! - factors[k ^ (1 << i)]!) / (high - low);
      factors[k] = slope;
      factors[k ^ (1 << i)]! -= slope * low;
    }
  });
  const extent = factors
    .map((factor, k) => ({ factor, axes: axes.filter((_, i) => (k >> i) & 1) }))
    .filter(({ factor }) => factor !== 0)
    .reverse();
  const holds =
    extent.every(({ factor }) => Number.isInteger(factor)) && sizes.every((s, k) => sizeAt(extent, s) === values[k]);
  return holds ? extent : undefined;
}

/** The number that a size is for given lengths. */
export const sizeAt = (size: Size, sizes: AxisSizes): number =>
  typeof size === "number"
    ? size
    : size.reduce((sum, { factor, axes }) => sum + axes.reduce((n, axis) => n * sizes[axis]!, factor), 0);

/** A number, or "batch_size", "2*batch_size", "sequence_length + 18". */
export const formatSize = (size: Size): number | string =>
  typeof size === "number"
    ? size
    : size
        .map(({ factor, axes }) => [...(factor === 1 && axes.length > 0 ? [] : [factor]), ...axes].join("*"))
        .join(" + ");

/** The axis that a size is the length of, if it is just that. */
export const axisOf = (size: Size): string | undefined =>
  typeof size === "object" && size.length === 1 && size[0]!.factor === 1 && size[0]!.axes.length === 1
    ? size[0]!.axes[0]
    : undefined;

/** Inputs and outputs of a graph with open axes. Throws ShapeError where a size is not linear in each length. */
export function dynamicPorts(samples: Samples<Graph>): Record<"inputs" | "outputs", Record<string, DynamicPort>> {
  const ports = (of: (g: Graph) => Readonly<Record<string, Value>>): Record<string, DynamicPort> =>
    Object.fromEntries(
      Object.entries(of(samples.of[0]!)).map(([name, { dtype, shape }]) => {
        const all = samples.of.map((g) => of(g)[name]?.shape ?? []);
        const sizes = shape.map((_, i) =>
          extentOf(
            samples,
            all.map((s) => s[i] ?? -1),
          ),
        );
        if (sizes.some((size) => size === undefined))
          throw new ShapeError(
            `${samples.of[0]!.name}: "${name}": ${all.map(formatShape).join(", ")} do not follow from ${samples.axes.join(", ")}`,
          );
        return [name, { dtype, shape: sizes as Size[] }];
      }),
    );
  return { inputs: ports((g) => g.inputs), outputs: ports((g) => g.outputs) };
}
