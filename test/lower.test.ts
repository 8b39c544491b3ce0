/** The ONNX lowering against the interpreter, one primitive after the other, with all fusions and with none. */
import { describe, expect, it } from "vitest";
import {
  argmax,
  constant,
  graph,
  input,
  isOp,
  logSoftmax,
  matmul,
  mul,
  neg,
  type Op,
  scoped,
} from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { fromNumbers, toNumbers } from "../src/tensor/index.ts";
import { cases, sample } from "./support/lower-cases.ts";
import { operators, runLowered, worstError } from "./support/run-lowered.ts";

describe("every primitive", () => {
  for (const [op, make] of Object.entries(cases))
    it(`${op} gives on ONNX Runtime what the interpreter gives`, async () => {
      const g = graph(op, Object.fromEntries(make().map((v, i) => [`out ${i}`, v])));
      expect(g.nodes.some((v) => isOp(v, op as Op))).toBe(true);
      const feeds = Object.fromEntries(Object.entries(g.inputs).map(([name, v]) => [name, sample(v, 7)]));
      const expected = interpret(g, feeds);
      for (const options of [{}, { fusions: [] }, { target: "webgpu" as const }]) {
        const actual = await runLowered(g, feeds, options);
        for (const [name, t] of Object.entries(expected)) {
          expect(actual[name]!.dtype).toBe(g.outputs[name]!.dtype);
          expect(actual[name]!.shape).toEqual(t.shape);
          expect(worstError(actual[name]!, t), `${name}: ${g.outputs[name]}`).toBeLessThan(2e-6);
        }
      }
    });
});

describe("the target webgpu", () => {
  it("has no operator that ONNX Runtime's WebGPU provider lacks", () => {
    const [x, z] = [input("x", [2, 3, 5]), input("z", [2, 5, 3])];
    const outputs = {
      scaled: mul(matmul(x, z, { transposeA: true, transposeB: true }), 0.5),
      weight: mul(matmul(x, x, { transposeA: true }), 3),
      logits: logSoftmax(x, 1),
      first: argmax(x, 2),
    };
    const found = operators(graph("g", outputs), { target: "webgpu" });
    expect(Object.keys(found).sort()).toEqual(
      "Equal Exp Log MatMul Mul ReduceMax ReduceMin ReduceSum Reshape Sub Transpose Where".split(" "),
    );
  });
});

describe("corners of naming, on ONNX Runtime", () => {
  const odd = "a b/c:d.e\\f'g\"h#i[0]{é}→☃";
  const two = fromNumbers([1, 2], [2]);

  it("takes names with any characters", async () => {
    const y = scoped(`scope ${odd}`, () => neg(input(odd, [2])));
    const got = await runLowered(graph(odd, { [`out ${odd}`]: y }), { [odd]: two });
    expect(toNumbers(got[`out ${odd}`]!)).toEqual([-1, -2]);
  });

  it("gives outputs that are inputs, constants, one value twice, or have an input's name", async () => {
    const x = input("x", [2]);
    const y = neg(x);
    const got = await runLowered(graph("g", { same: x, fixed: constant(3), y, again: y, x: mul(y, 2) }), { x: two });
    expect(Object.fromEntries(Object.entries(got).map(([k, t]) => [k, toNumbers(t)]))).toEqual({
      same: [1, 2],
      fixed: [3],
      y: [-1, -2],
      again: [-1, -2],
      x: [-2, -4],
    });
  });

  it("reads weights from inside the model and from the file beside it", async () => {
    const g = graph("g", { y: matmul(input("x", [1, 2]), input("w", [2, 2])) });
    const weights = { initializers: { w: fromNumbers([1, 2, 3, 4], [2, 2]) } };
    const external = { location: "weights.onnx_data", thresholdBytes: 1 };
    for (const options of [weights, { ...weights, external }]) {
      const { y } = await runLowered(g, { x: fromNumbers([1, 10], [1, 2]) }, options);
      expect(toNumbers(y!)).toEqual([31, 42]);
    }
  });
});
