/** What an engine overwrites where it lies: random programs leave the state and give the results that the interpreter does. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { graph, type Program, sub, type Value } from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { compile, openDevice, State } from "../src/runtime/index.ts";
import { sameShape, type Tensor } from "../src/tensor/index.ts";
import { type RandomGraph, randomGraphs } from "./support/random-graph.ts";
import "./support/matchers.ts";

/** Every input is state; its next value is one of the graph's values of its shape, or differs by one from it. */
function programOf({ graph: g }: RandomGraph): Program {
  const updates: Record<string, Value> = {};
  for (const [i, [name, x]] of Object.entries(g.inputs).entries()) {
    const values = g.nodes.filter((v) => v !== x && v.dtype === x.dtype && sameShape(v.shape, x.shape));
    const next = values.at(-1 - (i % 3)) ?? values.at(-1);
    if (next) updates[name] = i % 2 === 0 ? next : sub(x, next);
  }
  return { name: "random", outputs: g.outputs, updates };
}

/** The results, and the state afterwards, under names of their own. */
function expected({ outputs, updates }: Program, feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const next = Object.entries(updates).map(([name, value]) => [`next ${name}`, value] as const);
  const g = graph("expected", { ...outputs, ...Object.fromEntries(next) });
  const needed = Object.keys(g.inputs).map((name) => [name, feeds[name]!]);
  return interpret(g, Object.fromEntries(needed));
}

it("an engine's updates in place change no result and no state", async () => {
  const device = await openDevice("cpu", { threads: 1 });
  let inPlace = 0;
  let swapped = 0;
  const check = async (made: RandomGraph): Promise<void> => {
    const program = programOf(made);
    using state = new State(device);
    state.writeAll(made.feeds);
    using step = await compile(program, device, { state });
    inPlace += step.inPlace.size;
    swapped += step.updates.length - step.inPlace.size;
    const got: Record<string, Tensor> = await step.run({});
    for (const name of Object.keys(program.updates)) got[`next ${name}`] = await state.read(name);
    for (const [name, t] of Object.entries(expected(program, made.feeds)))
      expect(got[name]!, name).toBeAllclose(t, { rtol: 1e-4, atol: 1e-4 });
  };
  await fc.assert(fc.asyncProperty(randomGraphs, check), { seed: 20260104, numRuns: 300 });
  expect(inPlace).toBeGreaterThan(50);
  expect(swapped).toBeGreaterThan(50);
});
