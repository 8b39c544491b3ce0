/** The StableHLO lowering against the interpreter on XLA's processor plugin, one primitive after the other. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grad, graph, isOp, type Op, sum, type Value } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { compile } from "../src/runtime/index.ts";
import type { Tensor } from "../src/tensor/index.ts";
import * as generated from "./support/generate.ts";
import { cases, sample } from "./support/lower-cases.ts";
import { worstError } from "./support/run-lowered.ts";
import { xla } from "./support/xla-device.ts";

/** XLA's exp, tanh and erf are polynomials of float32's precision. */
const ERROR = 5e-6;

async function compare(name: string, outputs: Record<string, Value>, feeds?: Readonly<Record<string, Tensor>>) {
  const g = graph(name, outputs);
  const given = feeds ?? Object.fromEntries(Object.entries(g.inputs).map(([key, v]) => [key, sample(v, 7)]));
  const used = Object.fromEntries(Object.keys(g.inputs).map((key) => [key, given[key]!]));
  const expected = interpret(g, used);
  using executable = await compile(g, xla!);
  const actual = await executable.run(used);
  for (const [key, t] of Object.entries(expected)) {
    expect(actual[key]!.dtype).toBe(g.outputs[key]!.dtype);
    expect(actual[key]!.shape).toEqual(t.shape);
    expect(worstError(actual[key]!, t), `${key}: ${g.outputs[key]}`).toBeLessThan(ERROR);
  }
}

describe.skipIf(!xla)("every primitive on xla:cpu", () => {
  for (const [op, make] of Object.entries(cases)) {
    it(`${op} gives what the interpreter gives`, async () => {
      const outputs = Object.fromEntries(make().map((v, i) => [`out ${i}`, v]));
      expect(graph(op, outputs).nodes.some((v) => isOp(v, op as Op))).toBe(true);
      await compare(op, outputs);
    });
    it(`${op}: random shapes, with gradients`, async () => {
      const [first, ...more] = fc.sample(generated.cases[op as Op], { numRuns: 2, seed: 11 });
      for (const { output, feeds } of [first!, ...more]) {
        const inputs = [...new Set(graph(op, { output }).nodes)].filter(
          (v) => isOp(v, "input") && v.dtype === "float32",
        );
        const gradients = output.dtype === "float32" && inputs.length > 0 ? grad(sum(output), inputs) : [];
        await compare(op, { output, ...Object.fromEntries(gradients.map((g, i) => [`gradient ${i}`, g])) }, feeds);
      }
    });
  }
});
