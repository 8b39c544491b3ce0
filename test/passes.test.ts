/** The passes never change a result: property tests on random graphs, and on the gradients of random graphs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, type Graph, grad, graph, type Op, sum, type Value } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { cse, dce, fold, optimize } from "../src/graph/passes/index.ts";
import { only } from "./support/finite-difference.ts";
import { type RandomGraph, randomGraphs } from "./support/random-graph.ts";
import { FLOAT64 } from "./support/tolerances.ts";

const RUNS: fc.Parameters<unknown> = { seed: 20260103, numRuns: 150 };

const passes: Record<string, (g: Graph) => Graph> = { cse, fold, optimize, dce: (g) => dce(g, Object.keys(g.outputs)) };

/** The gradients of everything in a graph: longer, and with the patterns that differentiation makes. */
function gradients({ graph: g, feeds }: RandomGraph): RandomGraph {
  const loss = Object.values(g.outputs)
    .map((y) => sum(y))
    .reduce((a, b) => add(a, b));
  const made = grad(loss, Object.values(g.inputs));
  const d = graph("gradients", Object.fromEntries(made.map((v, i) => [`d${i}`, v])));
  return { graph: d, feeds: only(d, feeds) };
}

function expectSameResults(before: RandomGraph, after: Graph): void {
  expect(Object.keys(after.outputs)).toEqual(Object.keys(before.graph.outputs));
  const expected = interpret(before.graph, before.feeds);
  const actual = interpret(after, only(after, before.feeds));
  for (const [name, t] of Object.entries(expected)) {
    expect(after.outputs[name]!.dtype).toBe(before.graph.outputs[name]!.dtype);
    expect(actual[name]!, name).toBeAllclose(t, FLOAT64);
  }
}

const count = (g: Graph, op: Op): number => g.nodes.filter((v) => v.op === op).length;

/** Operations of which a pass may never make more. */
const NO_MORE_OF: readonly Op[] = ["tanh", "gelu", "sum", "permute", "mul", "where", "concat"];

describe.each(Object.entries(passes))("%s", (_, pass) => {
  it("changes no result of a random graph, and makes it no larger", () => {
    fc.assert(
      fc.property(randomGraphs, (r) => {
        const after = pass(r.graph);
        expectSameResults(r, after);
        for (const op of NO_MORE_OF) expect(count(after, op)).toBeLessThanOrEqual(count(r.graph, op));
      }),
      RUNS,
    );
  });

  it("changes no gradient of a random graph", () => {
    fc.assert(
      fc.property(randomGraphs.map(gradients), (r) => expectSameResults(r, pass(r.graph))),
      { ...RUNS, numRuns: 50 },
    );
  });

  it("gives every value a scope of the graph before", () => {
    fc.assert(
      fc.property(randomGraphs, (r) => {
        const known = new Set(r.graph.nodes.map((v) => v.scope));
        expect(pass(r.graph).nodes.every((v: Value) => known.has(v.scope))).toBe(true);
      }),
      { ...RUNS, numRuns: 50 },
    );
  });
});

describe("optimize", () => {
  it("has nothing left to do the second time", () => {
    fc.assert(
      fc.property(randomGraphs, (r) => {
        const once = optimize(r.graph);
        expect(Object.values(optimize(once).outputs)).toEqual(Object.values(once.outputs));
        expect(optimize(once).nodes.length).toBe(once.nodes.length);
      }),
      { ...RUNS, numRuns: 50 },
    );
  });

  it("leaves out a good part of a random graph", () => {
    let [before, after] = [0, 0];
    for (const r of fc.sample(randomGraphs, { seed: 1, numRuns: 50 })) {
      before += r.graph.nodes.length;
      after += optimize(r.graph).nodes.length;
    }
    expect(after).toBeLessThan(0.8 * before);
  });
});

describe("grad with checkpoints", () => {
  it("gives the gradients of a random graph, whatever is kept", () => {
    fc.assert(
      fc.property(randomGraphs, fc.infiniteStream(fc.boolean()), ({ graph: g, feeds }, keep) => {
        const loss = Object.values(g.outputs)
          .map((y) => sum(y))
          .reduce((a, b) => add(a, b));
        const checkpoints = g.nodes.filter(() => keep.next().value);
        const of = (made: Value[]) => graph("gradients", Object.fromEntries(made.map((v, i) => [`d${i}`, v])));
        const plain = of(grad(loss, Object.values(g.inputs)));
        const lean = optimize(of(grad(loss, Object.values(g.inputs), { checkpoints })));
        expectSameResults({ graph: plain, feeds: only(plain, feeds) }, lean);
      }),
      { ...RUNS, numRuns: 50 },
    );
  });
});
