import { describe, expect, it } from "vitest";
import { type Feeds, fromNumbers, type Tensor, toNumbers } from "../../../tensor/index.ts";
import { grad } from "../../gradient.ts";
import { graph, isOp, topological } from "../../graph.ts";
import { interpret, interpretWorkers } from "../../interpret/index.ts";
import {
  add,
  allGather,
  allReduce,
  broadcastTo,
  div,
  exp,
  input,
  matmul,
  mean,
  mul,
  sub,
  sum,
  tanh,
} from "../../ops.ts";
import type { Program } from "../../program.ts";
import type { Value } from "../../value.ts";
import { type Cut, cut, KEEP, type PartedStep } from "./cut.ts";

const [PARTS, B, D, E] = [3, 2, 3, 4];
const numbers = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(seed + 1.7 * i));
const tensor = (shape: number[], seed: number): Tensor =>
  fromNumbers(
    numbers(
      shape.reduce((n, d) => n * d, 1),
      seed,
    ),
    shape,
    "float64",
  );

const state: Feeds = { w: tensor([D, E], 1), scale: tensor([], 2) };
const parts: readonly Feeds[] = Array.from({ length: PARTS }, (_, i) => ({ x: tensor([B, D], 3 + i) }));

/** A loss that compares all samples, beside one that divides by what all parts have of something. */
function step(several: boolean): PartedStep {
  const [x, w, scale] = [input("x", [B, D]), input("w", [D, E]), input("scale", [])];
  const z = matmul(x, w);
  const h = mul(z, tanh(z));
  const compared = mean(exp(mul(matmul(h, allGather(h, PARTS), { transposeB: true }), scale)));
  const own = div(sum(mul(h, h)), allReduce(sum(mul(x, x)), PARTS));
  const [dw, dScale] = grad(mul(add(compared, own), 1 / PARTS), [w, scale]) as [Value, Value];
  const sums = { w: allReduce(dw, PARTS), scale: allReduce(dScale, PARTS) };
  return {
    name: "step",
    ofPart: { compared, own },
    outputs: { norm: sum(mul(sums.w, sums.w)) },
    updates: { w: sub(w, mul(sums.w, 0.1)), scale: sub(scale, mul(sums.scale, 0.1)) },
    sums,
    several,
  };
}

/** Runs a program on what it reads; what it updates goes into `into`. */
function run({ name, outputs, updates }: Program, feeds: Feeds, into: Record<string, Tensor>): Record<string, Tensor> {
  const all = { ...outputs, ...Object.fromEntries(Object.entries(updates).map(([key, v]) => [`update ${key}`, v])) };
  const g = graph(name, all);
  const results = interpret(g, Object.fromEntries(Object.keys(g.inputs).map((key) => [key, feeds[key]!])));
  for (const key of Object.keys(updates)) into[key] = results[`update ${key}`]!;
  return results;
}

const joined = (tensors: readonly Tensor[]): Tensor =>
  fromNumbers(
    tensors.flatMap((t) => toNumbers(t)),
    [tensors.length * tensors[0]!.shape[0]!, ...tensors[0]!.shape.slice(1)],
    "float64",
  );

/** What a worker with all parts does. */
function runCut({ phases, last, sums }: Cut): { state: Record<string, Tensor>; found: Record<string, Tensor>[] } {
  const now: Record<string, Tensor> = { ...state };
  for (const [name, shape] of Object.entries(sums)) now[name] = tensor([...shape], 99); // of the step before
  const own: Record<string, Tensor>[] = parts.map((part) => ({ ...part }));
  const found: Record<string, Tensor>[] = parts.map(() => ({}));
  for (const { program, results, kept, gathers, scatters } of phases) {
    for (const [i, piece] of own.entries()) {
      const keep = fromNumbers([i === 0 ? 0 : 1], [], "float64");
      const given = run(program, { ...now, ...piece, [KEEP]: keep }, now);
      for (const name of results) found[i]![name] = given[name]!;
      for (const name of [...kept, ...gathers.map((g) => g.own)]) piece[name] = given[name]!;
    }
    for (const { own: name, all } of gathers) {
      const rows = joined(own.map((piece) => piece[name]!));
      for (const piece of own) piece[all] = rows;
    }
    for (const { sum: name, rows } of scatters) {
      const { shape } = now[name]!;
      const [count, whole] = [shape[0]! / PARTS, toNumbers(now[name]!)];
      const each = whole.length / PARTS;
      for (const [i, piece] of own.entries())
        piece[rows] = fromNumbers(whole.slice(i * each, (i + 1) * each), [count, ...shape.slice(1)], "float64");
    }
  }
  Object.assign(found[0]!, run(last, now, now));
  return { state: now, found };
}

describe("cut", () => {
  const whole = step(true);
  const uncut = interpretWorkers(
    graph("uncut", { ...whole.ofPart, ...whole.outputs, ...whole.updates }),
    parts.map((part) => ({ ...part, ...state })),
  );

  it("gives the programs of a step, which do part by part what all parts do together", () => {
    const { state: next, found } = runCut(cut(step(true)));
    for (const name of ["w", "scale"]) expect(next[name]!).toBeAllclose(uncut[0]![name]!, { rtol: 1e-14 });
    expect(found[0]!.norm!).toBeAllclose(uncut[0]!.norm!, { rtol: 1e-14 });
    for (const [i, one] of found.entries())
      for (const name of ["compared", "own"]) expect(one[name]!).toBeAllclose(uncut[i]![name]!, { rtol: 1e-14 });
  });

  it("computes again what no collective is behind, and keeps what is small", () => {
    const { phases, last, sums } = cut(step(true));
    const products = phases.map(
      ({ program }) =>
        topological([...Object.values(program.outputs), ...Object.values(program.updates)]).filter(
          (v) =>
            v.op === "matmul" && v.inputs.some((x) => x.op === "input" && "name" in x.attrs && x.attrs.name === "w"),
        ).length,
    );
    expect(products, "the product of x and w: before the gathering, and for the backward pass").toEqual([1, 0, 1]);
    expect(phases.map(({ gathers }) => gathers.length)).toEqual([1, 0, 0]);
    expect(phases.map(({ scatters }) => scatters.length)).toEqual([0, 1, 0]);
    const keptShapes = phases.flatMap(({ kept, program }) => kept.map((name) => program.outputs[name]!.shape));
    expect(keptShapes).toContainEqual([B, E]); // the gradient by the own rows, not by (B, PARTS·B) similarities
    expect(keptShapes).not.toContainEqual([B, PARTS * B]);
    expect(Object.keys(sums)).toEqual(expect.arrayContaining(["accumulated.w", "accumulated.scale"]));
    expect(Object.keys(last.updates)).toEqual(["w", "scale"]);
  });

  it("writes sums instead of adding to them where a worker has one part", () => {
    const { phases } = cut(step(false));
    for (const { program } of phases)
      expect(Object.keys(graph("p", { ...program.outputs, ...program.updates }).inputs)).not.toContain(KEEP);
  });

  it("leaves products in the state where a worker has one part, and computes them once", () => {
    const { phases, sums } = cut(step(false));
    const products = phases.map(({ program }) => {
      const { nodes } = graph("p", { ...program.outputs, ...program.updates });
      return nodes.filter((v) => v.op === "matmul" && v.inputs.some((x) => isOp(x, "input") && x.attrs.name === "w"));
    });
    expect(products.map(({ length }) => length)).toEqual([1, 0, 0]);
    const stored = Object.keys(sums).filter((name) => name.includes(".stored."));
    expect(stored.map((name) => sums[name])).toEqual([[B, E]]);
    expect(Object.keys(phases[0]!.program.updates)).toEqual(stored);
  });

  it("refuses a step whose end depends on a part otherwise than through a collective", () => {
    const { outputs, ofPart, ...given } = step(true);
    expect(() => cut({ ...given, ofPart, outputs: { ...outputs, own: ofPart.own! } })).toThrow(/without a collective/);
  });
});

/** Layers one behind the other, whose gradients come from the last to the first. */
function deepStep(mayWait: number): PartedStep {
  const names = ["w1", "w2", "w3", "w4", "w5", "w6"];
  const weights = names.map((name) => input(name, [E, E]));
  let h = input("x", [B, E]);
  for (const w of weights) h = tanh(matmul(h, w));
  const loss = div(sum(mul(h, h)), allReduce(sum(mul(input("x", [B, E]), input("x", [B, E]))), PARTS));
  const sums = Object.fromEntries(grad(loss, weights).map((g, i) => [names[i]!, allReduce(g!, PARTS)]));
  return {
    name: "deep",
    ofPart: { loss },
    outputs: {},
    updates: Object.fromEntries(names.map((name, i) => [name, sub(weights[i]!, mul(sums[name]!, 0.1))])),
    sums,
    several: false,
    mayWait,
  };
}

describe("cut on one part a worker", () => {
  const all = Number.POSITIVE_INFINITY;
  const of = (mayWait: number) => cut(deepStep(mayWait)).phases.map(({ reduces }) => reduces.length);

  it("makes gradients in pieces, the last layers' first, where as much may wait between them", () => {
    const { phases } = cut(deepStep(all));
    expect(phases.slice(1).map(({ reduces }) => reduces.map((name) => name.slice(-2)).sort())).toEqual([
      ["w6"], // after the whole forward pass
      ["w3", "w4", "w5"],
      ["w1", "w2"],
    ]);
    expect([of(0), of(1e-3)]).toEqual([
      [1, 6],
      [1, 6],
    ]);
  });

  it("leaves what is large in the state until it is read again, and feeds what is small", () => {
    const step = (rows: number): PartedStep => {
      const [x, w] = [input("x", [rows, E]), input("w", [E, E])];
      const h = div(matmul(x, w), allReduce(sum(mul(x, x)), PARTS)); // known after the first sum
      const loss = div(sum(tanh(h)), allReduce(sum(mul(h, h)), PARTS));
      const sums = { w: allReduce(grad(loss, [w])[0]!, PARTS) };
      return { name: "rows", ofPart: { loss }, outputs: {}, updates: {}, sums, several: false };
    };
    const shapes = (rows: number) => {
      const { phases, sums } = cut(step(rows));
      const kept = phases.flatMap(({ kept: names, program }) => names.map((name) => program.outputs[name]!.shape));
      const stored = Object.entries(sums).filter(([name]) => name.includes(".stored."));
      return { kept: kept.filter(([n]) => n === rows), stored: stored.length };
    };
    const [small, large] = [shapes(2 ** 14 - 1), shapes(2 ** 14)];
    expect(small.kept.length).toBeGreaterThan(0);
    expect(large.kept).toEqual([]);
    expect(large.stored).toBe(small.stored + small.kept.length);
  });

  it("sums the gradient of two parameters that have the same one under the name of each", () => {
    const [a, b] = [input("a", [E]), input("b", [E])];
    const loss = sum(tanh(add(add(input("x", [B, E]), broadcastTo(a, [B, E])), broadcastTo(b, [B, E]))));
    const [da, db] = grad(loss, [a, b]).map((g) => allReduce(g!, PARTS)) as [Value, Value];
    const rest = { name: "two", ofPart: { loss }, outputs: {}, updates: {}, sums: { a: da, b: db } };
    for (const several of [false, true])
      expect(
        cut({ ...rest, several })
          .phases.flatMap(({ reduces }) => reduces)
          .sort(),
      ).toEqual(["accumulated.a", "accumulated.b"]);
  });

  it("computes every product once, in whatever piece", () => {
    const count = (mayWait: number): number =>
      cut(deepStep(mayWait)).phases.reduce((n, { program: { outputs, updates } }) => {
        const values = [...Object.values(outputs), ...Object.values(updates)];
        return n + topological(values).filter(({ op }) => op === "matmul").length;
      }, 0);
    expect(count(all)).toBe(count(0));
  });
});
