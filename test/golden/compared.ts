/** The tiny models of the compared systems: weights and inputs by formula, and results beside those of the reference. */
import { expect } from "vitest";
import { grad, type Value } from "../../src/graph/index.ts";
import type { ParamSpec, Params } from "../../src/nn/index.ts";
import type { Device } from "../../src/runtime/index.ts";
import { fromNumbers, type Shape, type Tensor, tensor } from "../../src/tensor/index.ts";
import { golden } from "./numbers.ts";
import { evaluate, evaluateOn, norm, total } from "./run.ts";

type Feeds = Readonly<Record<string, Tensor>>;

/** A reference file: tensors by their sums and first numbers, losses, and the norm of each gradient. */
export type Reference = Readonly<Record<string, unknown>>;

interface Summary {
  readonly shape: Shape;
  readonly sum: number;
  readonly first: readonly number[];
}

const SCALARS: Readonly<Record<string, number>> = { logit_scale: 2.6592, temperature: 1, temp: 0.07 };

/** The value of a parameter or buffer, by its name and shape. */
export function filled(name: string, shape: Shape): Tensor<"float64"> {
  if (shape.length === 0) return tensor("float64", [], Float64Array.of(SCALARS[name.split(".").at(-1)!]!));
  const positive = name.endsWith("running_var") || (shape.length === 1 && name.endsWith(".weight"));
  return positive ? golden(name, shape, 0.8, 1.2) : golden(name, shape, -0.3, 0.3);
}

export const filledAll = (specs: readonly Pick<ParamSpec, "name" | "shape">[]): Record<string, Tensor> =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, filled(name, shape)]));

const ints = (rows: readonly (readonly number[])[]): Tensor =>
  fromNumbers(rows.flat(), [rows.length, rows[0]!.length], "int32");

export const PIXELS: Tensor = golden("pixel_values", [3, 3, 32, 32], -2, 2);
export { ints };

/** What float64 keeps. */
const EXACT = 1e-8;

/** Compares with a reference's entry: a number, or the sum and first elements of a tensor. */
export function expectLike(actual: Tensor, expected: unknown, name: string, tolerance = EXACT): void {
  const near = (a: number, b: number, scale = 1): void =>
    expect(Math.abs(a - b) / Math.max(scale, Math.abs(b)), `${name}: ${a} beside ${b}`).toBeLessThan(tolerance);
  if (typeof expected === "number") return near(Number(actual.data[0]), expected, 1e-6);
  if (Array.isArray(expected)) {
    for (const [i, x] of expected.flat(9).entries()) near(Number(actual.data[i]), x);
    return;
  }
  const { shape, sum, first } = expected as Summary;
  expect(actual.shape, name).toEqual(shape);
  near(total(actual), sum, Math.sqrt(actual.data.length));
  for (const [i, x] of first.entries()) near(Number(actual.data[i]), x);
}

/** Gradients of a loss by every parameter that it depends on. */
export function gradientsOf(loss: Value, p: Params): Record<string, Value> {
  const entries = Object.entries(p.values());
  return Object.fromEntries(
    grad(
      loss,
      entries.map(([, v]) => v),
    ).map((g, i) => [entries[i]![0], g]),
  );
}

/** Compares the norms of gradients with those of the reference, by name and all together. */
export function expectNorms(gradients: Readonly<Record<string, Tensor>>, reference: unknown): void {
  const { total: all, count, ...norms } = reference as Record<string, number>;
  expect(Object.keys(norms)).toHaveLength(count!);
  const found = Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, norm(g)]));
  for (const [name, expected] of Object.entries(norms)) {
    expect(found, name).toHaveProperty([name]);
    const error = Math.abs(found[name]! - expected);
    expect(error / Math.max(1e-6 * all!, expected), `${name}: ${found[name]} beside ${expected}`).toBeLessThan(EXACT);
  }
  expect(Math.abs(Math.hypot(...Object.keys(norms).map((name) => found[name]!)) / all! - 1)).toBeLessThan(EXACT);
}

/** The shapes of declared tensors as a reference lists them. */
export const shapesOf = (specs: readonly ParamSpec[]): Record<string, Shape> =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, shape]));

/** All values on an engine in float32, each within 1e-4 of the interpreter's unless said, by its norm. */
export async function expectOnEngine(
  device: Device,
  outputs: Readonly<Record<string, Value>>,
  feeds: Feeds,
  tolerance = 1e-4,
): Promise<void> {
  const exact = evaluate(outputs, feeds);
  const found = await evaluateOn(device, outputs, feeds, { purpose: "training" });
  const largest = Math.max(...Object.values(exact).map(norm));
  for (const [name, expected] of Object.entries(exact)) {
    const difference = Math.hypot(...Array.from(expected.data, (x, i) => Number(found[name]!.data[i]) - Number(x)));
    expect(difference / Math.max(norm(expected), 1e-3 * largest), name).toBeLessThan(tolerance);
  }
}
