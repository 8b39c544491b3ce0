/** The ONNX lowering against the interpreter: every primitive, and the corners of naming. */
import { describe, expect, it } from "vitest";
import { type Graph, graph, isOp, type Op } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { type LowerOptions, toOnnx } from "../src/lower/onnx/index.ts";
import { openEngine } from "../src/runtime/open.ts";
import { type Tensor, toNumbers } from "../src/tensor/index.ts";
import { cases, sample } from "./lower-cases.ts";

const engine = await openEngine();

/** Lowers, runs on ONNX Runtime, and gives the outputs under the graph's names. */
async function runLowered(
  g: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  options: LowerOptions = {},
): Promise<Record<string, Tensor>> {
  const { model, inputs, outputs } = toOnnx(g, options);
  using session = await engine.createSession(model, { threads: 2 });
  const fed = Object.fromEntries(Object.entries(inputs).map(([key, port]) => [port.name, feeds[key]!]));
  const want = Object.fromEntries(Object.values(outputs).map((port) => [port.name, "host" as const]));
  const got = (await session.run(fed, want)) as Record<string, Tensor>;
  return Object.fromEntries(Object.entries(outputs).map(([key, port]) => [key, got[port.name]!]));
}

const feedsOf = (g: Graph, seed: number): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(g.inputs).map(([name, v]) => [name, sample(v, seed)]));

/** Worst difference, relative to the largest number of the expected tensor or to 1. */
function worst(actual: Tensor, expected: Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  const scale = Math.max(1, ...b.filter(Number.isFinite).map(Math.abs));
  return Math.max(0, ...a.map((v, i) => (Object.is(v, b[i]) || v === b[i] ? 0 : Math.abs(v - b[i]!) / scale)));
}

describe("every primitive", () => {
  for (const [op, make] of Object.entries(cases))
    it(`${op} gives on ONNX Runtime what the interpreter gives`, async () => {
      const values = make();
      const g = graph(op, Object.fromEntries(values.map((v, i) => [`out ${i}`, v])));
      expect(g.nodes.some((v) => isOp(v, op as Op))).toBe(true);
      const feeds = feedsOf(g, 7);
      const expected = interpret(g, feeds);
      for (const options of [{}, { fusions: [] }]) {
        const actual = await runLowered(g, feeds, options);
        for (const [name, t] of Object.entries(expected)) {
          expect(actual[name]!.dtype).toBe(g.outputs[name]!.dtype);
          expect(worst(actual[name]!, t), `${name}: ${g.outputs[name]}`).toBeLessThan(2e-6);
        }
      }
    });
});
