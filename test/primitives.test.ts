/**
 * Every primitive, on random uses of it (test/generate.ts): gradients and second derivatives against finite differences,
 * float32 against float64, and each engine against the interpreter.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, type Graph, grad, graph, isOp, type Op, type Value } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { compile, type DeviceName, openDevice } from "../src/runtime/index.ts";
import { fromNumbers, isFloat, size, type Tensor, toNumbers } from "../src/tensor/index.ts";
import { derivativeErrors, only, project } from "./support/finite-difference.ts";
import { type Case, cases } from "./support/generate.ts";
import { ENGINE_GRADIENT, ENGINE_OPERATION, FINITE_DIFFERENCE } from "./support/tolerances.ts";

/** The same cases in every run: a failure that nobody can repeat helps nobody. */
const RUNS: fc.Parameters<unknown> = { seed: 20260101, numRuns: 24 };
const ENGINE_RUNS: fc.Parameters<unknown> = { seed: 20260102, numRuns: 6 };

const ops = Object.keys(cases) as Op[];

/** Results that are not floats, and `stopGradient`, whose gradient is not its derivative, have tests of their own. */
const NOT_DIFFERENTIABLE: ReadonlySet<Op> = new Set<Op>(["compare", "argmax", "stopGradient", "constant"]);

const floatInputs = (g: Graph): Value<"input">[] => Object.values(g.inputs).filter((v) => isFloat(v.dtype));

/** A scalar of the case, what it depends on, and everything to feed. Undefined when nothing in it is differentiable. */
function lossOf({ output, feeds }: Case): { loss: Value; wrt: Value<"input">[]; feeds: Case["feeds"] } | undefined {
  if (!isFloat(output.dtype)) return undefined;
  const wrt = floatInputs(graph("case", { output })).filter((v) => isOp(v, "input"));
  if (wrt.length === 0) return undefined;
  const { loss, weight, feeds: more } = project(output, "projection");
  return { loss, wrt: [...wrt, weight], feeds: { ...feeds, ...more } };
}

function expectDerivatives(loss: Value, wrt: readonly Value<"input">[], feeds: Case["feeds"]): void {
  for (const { name, analytic, numeric, error } of derivativeErrors(loss, wrt, feeds))
    expect(error, `gradient of ${name}: ${analytic}, finite difference ${numeric}`).toBeLessThan(FINITE_DIFFERENCE);
}

describe("gradients agree with finite differences in float64", () => {
  for (const op of ops.filter((name) => !NOT_DIFFERENTIABLE.has(name))) {
    it(`${op}: first derivatives`, () => {
      let checked = 0;
      fc.assert(
        fc.property(cases[op], (c) => {
          const l = lossOf(c);
          if (!l) return;
          checked++;
          expectDerivatives(l.loss, l.wrt, l.feeds);
        }),
        RUNS,
      );
      expect(checked).toBeGreaterThan(RUNS.numRuns! / 5);
    });

    it(`${op}: second derivatives, so that its gradient can be differentiated`, () => {
      fc.assert(
        fc.property(cases[op], (c) => {
          const l = lossOf(c);
          if (!l) return;
          const parts = grad(l.loss, l.wrt).map((g, i) => project(g, `second ${i}`));
          const loss = parts.map((p) => p.loss).reduce((a, b) => add(a, b));
          expectDerivatives(loss, l.wrt, Object.assign({ ...l.feeds }, ...parts.map((p) => p.feeds)));
        }),
        RUNS,
      );
    });
  }

  it("stopGradient: has the gradient 0, whatever its derivative", () => {
    fc.assert(
      fc.property(cases.stopGradient, (c) => {
        const l = lossOf(c);
        if (!l) return;
        const [dx] = grad(l.loss, l.wrt);
        const g = graph("g", { dx: dx! });
        expect(toNumbers(interpret(g, only(g, l.feeds)).dx!).every((x) => x === 0)).toBe(true);
      }),
      RUNS,
    );
  });
});

describe("the float32 interpreter rounds the float64 result once", () => {
  for (const op of ops)
    it(op, () => {
      fc.assert(
        fc.property(cases[op], ({ output, feeds }) => {
          const g = graph(op, { output });
          const exact = interpret(g, feeds).output!;
          const single = interpret(g, feeds, { precision: "float32" }).output!;
          expect(single.dtype).toBe(output.dtype);
          if (output.dtype === "float32") expect(single).toBeAllclose(fromNumbers(toNumbers(exact), exact.shape));
          else expect(toNumbers(single)).toEqual(toNumbers(exact));
        }),
        RUNS,
      );
    });
});

const largest = (tensors: Iterable<Tensor>): number =>
  Math.max(1e-30, ...[...tensors].flatMap((t) => toNumbers(t).map(Math.abs)));

/**
 * A result of an engine is near that of the interpreter. Errors are measured against the largest number of the result or
 * of what was fed: float32 rounds intermediate values of that size, so a result of nearly 0 has no relative precision.
 */
function expectSame(actual: Tensor, expected: Tensor, tolerance: number, feeds: Case["feeds"]): void {
  const scale = largest([expected, ...Object.values(feeds).filter((t) => isFloat(t.dtype))]);
  expect(actual).toBeAllclose(expected, isFloat(expected.dtype) ? { atol: tolerance * scale } : {});
}

/** Engines run float32; the lowering refuses float64, which only the interpreter takes. */
const forEngines = (g: Graph): boolean => g.nodes.every((v) => v.dtype !== "float64");

/** Projections are float64 for the finite differences; engines take what the graph says. */
const asFed = (t: Tensor, to: Value): Tensor =>
  t.dtype === "float64" && to.dtype === "float32" ? fromNumbers(toNumbers(t), t.shape) : t;

const engines: readonly DeviceName[] = ["cpu", "cpu-js"];

/** What a use of a primitive shows besides the ordinary: an axis of size 1, an operand that is broadcast. */
function cornersOf({ output }: Case): string[] {
  const operands = output.inputs.map((v) => v.shape);
  const ones = [output.shape, ...operands].some((shape) => shape.includes(1));
  const broadcast = operands.some((shape) => size(shape) < size(output.shape));
  return [...(ones ? ["size 1"] : []), ...(broadcast ? ["broadcast"] : [])];
}

const BROADCASTING: readonly Op[] = [
  "add",
  "sub",
  "mul",
  "div",
  "maximum",
  "minimum",
  "compare",
  "where",
  "broadcastTo",
];

describe.each(engines)("device %s agrees with the interpreter", async (name) => {
  const device = await openDevice(name, { threads: 1 });

  async function run(g: Graph, feeds: Case["feeds"]): Promise<Record<string, Tensor>> {
    using executable = await compile(g, device);
    return await executable.run(Object.fromEntries(executable.feeds.map((key) => [key, feeds[key]!])));
  }

  for (const op of ops) {
    it(`${op}: results, also for axes of size 1 and broadcast operands`, async () => {
      const corners = new Set<string>();
      await fc.assert(
        fc.asyncProperty(cases[op], async (c) => {
          const { output, feeds } = c;
          for (const corner of cornersOf(c)) corners.add(corner);
          const g = graph(op, { output });
          if (!forEngines(g)) return;
          const { output: actual } = await run(g, feeds);
          expect(actual!.dtype).toBe(output.dtype);
          expectSame(actual!, interpret(g, feeds).output!, ENGINE_OPERATION, feeds);
        }),
        ENGINE_RUNS,
      );
      expect(corners).toContain("size 1");
      if (BROADCASTING.includes(op)) expect(corners).toContain("broadcast");
    });

    if (!NOT_DIFFERENTIABLE.has(op))
      it(`${op}: gradients`, async () => {
        await fc.assert(
          fc.asyncProperty(cases[op], async (c) => {
            const l = lossOf(c);
            if (!l) return;
            const gradients = grad(l.loss, l.wrt);
            const g = graph(op, Object.fromEntries(gradients.map((v, i) => [`d${i}`, v])));
            if (!forEngines(g)) return;
            const feeds = Object.fromEntries(
              Object.entries(only(g, l.feeds)).map(([key, t]) => [key, asFed(t, g.inputs[key]!)]),
            );
            const actual = await run(g, feeds);
            for (const [key, expected] of Object.entries(interpret(g, feeds)))
              expectSame(actual[key]!, expected, ENGINE_GRADIENT, feeds);
          }),
          ENGINE_RUNS,
        );
      });
  }
});
