/** The ONNX lowering against the interpreter, one primitive after the other, with all fusions and with none. */
import { describe, expect, it } from "vitest";
import { graph, isOp, type Op } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { cases, sample } from "./lower-cases.ts";
import { runLowered, worstError } from "./run-lowered.ts";

describe("every primitive", () => {
  for (const [op, make] of Object.entries(cases))
    it(`${op} gives on ONNX Runtime what the interpreter gives`, async () => {
      const g = graph(op, Object.fromEntries(make().map((v, i) => [`out ${i}`, v])));
      expect(g.nodes.some((v) => isOp(v, op as Op))).toBe(true);
      const feeds = Object.fromEntries(Object.entries(g.inputs).map(([name, v]) => [name, sample(v, 7)]));
      const expected = interpret(g, feeds);
      for (const options of [{}, { fusions: [] }]) {
        const actual = await runLowered(g, feeds, options);
        for (const [name, t] of Object.entries(expected)) {
          expect(actual[name]!.dtype).toBe(g.outputs[name]!.dtype);
          expect(actual[name]!.shape).toEqual(t.shape);
          expect(worstError(actual[name]!, t), `${name}: ${g.outputs[name]}`).toBeLessThan(2e-6);
        }
      }
    });
});
