/** The ONNX lowering on the device `webgpu` of Node, one primitive after the other. Slow: SwiftShader compiles shaders for a minute. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineError } from "../src/errors.ts";
import { grad, graph, isOp, type Op, sum, type Value } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { compile, type Executable } from "../src/runtime/index.ts";
import type { Tensor } from "../src/tensor/index.ts";
import * as generated from "./support/generate.ts";
import { cases, sample } from "./support/lower-cases.ts";
import { worstError } from "./support/run-lowered.ts";
import { ALONE, openWebGpu } from "./support/webgpu-device.ts";

const [webgpu, alone] = [await openWebGpu(), await openWebGpu(ALONE)];

/** Shaders' exp, tanh and pow are polynomials of a driver's own. */
const ERROR = 1e-4;

/** Primitives of whose cases some operator runs on the processor (docs/webgpu.md says which). */
const WITH_PROCESSOR: readonly Op[] = [];

async function compare(name: string, outputs: Record<string, Value>, feeds?: Readonly<Record<string, Tensor>>) {
  const g = graph(name, outputs);
  const given = feeds ?? Object.fromEntries(Object.entries(g.inputs).map(([key, v]) => [key, sample(v, 7)]));
  const used = Object.fromEntries(Object.keys(g.inputs).map((key) => [key, given[key]!]));
  const expected = interpret(g, used);
  let onGpu = true;
  const orWithProcessor = (error: unknown): Promise<Executable> => {
    if (!(error instanceof EngineError)) throw error;
    onGpu = false;
    return compile(g, webgpu!);
  };
  using executable = await compile(g, alone!).catch(orWithProcessor);
  const actual = await executable.run(used);
  for (const [key, t] of Object.entries(expected)) {
    expect(actual[key]!.dtype).toBe(g.outputs[key]!.dtype);
    expect(actual[key]!.shape).toEqual(t.shape);
    expect(worstError(actual[key]!, t), `${key}: ${g.outputs[key]}`).toBeLessThan(ERROR);
  }
  return onGpu;
}

describe.skipIf(!webgpu)("every primitive on webgpu", () => {
  for (const [op, make] of Object.entries(cases)) {
    it(`${op} gives what the interpreter gives`, async () => {
      const outputs = Object.fromEntries(make().map((v, i) => [`out ${i}`, v]));
      expect(await compare(op, outputs)).toBe(!WITH_PROCESSOR.includes(op as Op));
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
