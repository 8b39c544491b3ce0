/** The tiny FLAVA with products in bfloat16: how far losses and gradients are from float64, and that XLA rounds as the interpreter does. Slow: each step is made in several precisions. */
import { describe, expect, it } from "vitest";
import { graph, type Value } from "../../src/graph/index.ts";
import { precision } from "../../src/graph/passes/index.ts";
import { gradients } from "../../src/optim/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { type Tensor, toNumbers } from "../../src/tensor/index.ts";
import { xla } from "../support/xla-device.ts";
import { evaluate, singles } from "./run.ts";
import { pairCase, pairExpectations, sizesOf, tinyBatch, tinyConfig, tinyParameters } from "./tiny-case.ts";

const e = pairExpectations[0]!;
const c = pairCase(tinyConfig, sizesOf(e));
const losses = { loss: c.objective.loss, ...c.objective.losses };
const values: Record<string, Value> = { ...losses, ...gradients(c.objective.loss, c.params.values()) };
const feeds = { ...tinyBatch(e.itmLabels), ...tinyParameters(c.params.specs()) };

/** ‖a − b‖ / ‖b‖ of each; attention ignores the key's bias, whose gradient is nothing but rounding. */
function errors(a: Readonly<Record<string, Tensor>>, b: Readonly<Record<string, Tensor>>): [string, number][] {
  return Object.keys(values).flatMap((name) => {
    if (name.endsWith("key.bias")) return [];
    const [x, y] = [toNumbers(a[name]!), toNumbers(b[name]!)];
    return [[name, Math.hypot(...x.map((v, i) => v - y[i]!)) / Math.hypot(...y)] as [string, number]];
  });
}

const exact = evaluate(values, feeds);

/** What 8 significant bits leave: of a loss, and of a parameter's gradient. */
const BOUNDS = { loss: 4e-3, gradient: 6e-2 };

for (const results of ["float32", "bfloat16"] as const)
  describe(`products in bfloat16, their results in ${results}`, () => {
    const low = evaluate(precision(graph("low", values), { results }).outputs, feeds);

    it("losses and gradients stay within bounds of float64", () => {
      for (const [name, error] of errors(low, exact))
        expect(error, name).toBeLessThan(name in losses ? BOUNDS.loss : BOUNDS.gradient);
    });

    it("and are rounded: they differ from float64 by more than float32 would", () => {
      expect(Math.max(...errors(low, exact).map(([, error]) => error))).toBeGreaterThan(1e-3);
    });

    // a value at the middle of two bfloat16 goes either way: few do, so the distance is a fraction of the one above
    it.skipIf(!xla)("xla:cpu rounds where the interpreter does", { timeout: 240_000 }, async () => {
      using executable = await compile(graph("low", values), xla!, { precision: { results } });
      const given = singles(feeds);
      const found = await executable.run(Object.fromEntries(executable.feeds.map((name) => [name, given[name]!])));
      const sorted = errors(found, low).sort(([, a], [, b]) => a - b);
      for (const [name, error] of sorted) expect(error, name).toBeLessThan(name in losses ? 1e-3 : 3e-2);
      expect(sorted[sorted.length >> 1]![1]).toBeLessThan(5e-3);
    });
  });
