/** The ONNX lowering on the device `webgpu` of Node, one primitive after the other. Slow: SwiftShader compiles shaders for a minute. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineError } from "../src/errors.ts";
import { add, conv2d, grad, graph, input, isOp, matmul, mul, type Op, sum, type Value } from "../src/graph/index.ts";
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

/** Primitives some of whose cases run on the processor: they have int64, bool or bfloat16 numbers, or slices of int32 (docs/webgpu.md). */
const WITH_PROCESSOR: readonly Op[] = [
  ...([
    "input",
    "stopGradient",
    "barrier",
    "cast",
    "add",
    "sub",
    "mul",
    "maximum",
    "minimum",
    "compare",
    "where",
  ] as const),
  ...(["sign", "permute", "slice", "pad", "concat", "sum", "reduceMax", "scatterAdd"] as const),
];

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

describe.skipIf(!webgpu)("sizes on webgpu", () => {
  const SIZES = [1, 3, 4, 6, 9, 12, 17, 32];

  it("multiplies matrices and batches of them, whatever divides their sides", async () => {
    for (const m of SIZES) {
      const outputs: Record<string, Value> = {};
      for (const k of SIZES)
        for (const n of [1, 4, 6, 9, 33]) {
          const x = input(`x${m},${k}`, [m, k]);
          outputs[`${m} ${k} ${n}`] = matmul(x, input(`y${k},${n}`, [k, n]));
          const t = matmul(x, input(`t${n},${k}`, [n, k]), { transposeB: true });
          outputs[`${m} ${k} ${n} and a bias`] = add(t, input(`bias${n}`, [n]));
          const batch = matmul(input(`p${m},${k}`, [2, 3, m, k]), input(`q${n},${k}`, [2, 3, n, k]), {
            transposeB: true,
          });
          if (k < 13) outputs[`${m} ${k} ${n} in batches`] = mul(batch, 0.3);
        }
      expect(await compare("products", outputs)).toBe(true);
    }
  });

  it("convolves pictures, with both gradients, whatever divides channels and batch", async () => {
    for (const channels of SIZES.slice(1, 6)) {
      const outputs: Record<string, Value> = {};
      for (const [out, batch, kernel, stride] of [
        [4, 2, 3, 1],
        [12, 6, 2, 2],
        [5, 9, 3, 2],
        [8, 3, 1, 1],
      ] as const) {
        const picture = input(`p${batch},${channels}`, [batch, channels, 8, 6]);
        const weight = input(`w${out},${channels},${kernel}`, [out, channels, kernel, kernel]);
        const y = conv2d(picture, weight, { stride, padding: kernel === 3 ? 1 : 0 });
        const [dx, dw] = grad(sum(mul(y, y)), [picture, weight]);
        const name = `${batch} × ${channels} to ${out}, kernel ${kernel}`;
        Object.assign(outputs, { [name]: y, [`${name}: dx`]: dx!, [`${name}: dw`]: dw! });
      }
      expect(await compare("convolutions", outputs)).toBe(true);
    }
  });
});
