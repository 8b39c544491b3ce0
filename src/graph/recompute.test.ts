import { describe, expect, it } from "vitest";
import "../../test/support/matchers.ts";
import { fromNumbers, random, size, type Tensor } from "../tensor/index.ts";
import { costOf } from "./cost.ts";
import { grad } from "./gradient.ts";
import { graph } from "./graph.ts";
import { interpret } from "./interpret/index.ts";
import { add, exp, gelu, input, layerNorm, matmul, mul, softmax, sum, tanh } from "./ops.ts";
import { optimize } from "./passes/index.ts";
import type { Op } from "./primitives.ts";
import type { Value } from "./value.ts";

const [N, D] = [6, 4];
const LAYERS = 5;

/** Layers x + W₂·gelu(W₁·softmax(norm(x))·x), with their states and parameters. */
function stack() {
  const x = input("x", [N, D]);
  const wrt: Value[] = [];
  const parameter = (name: string, shape: readonly number[]): Value => {
    const p = input(name, shape);
    wrt.push(p);
    return p;
  };
  const states = [x];
  for (let i = 0; i < LAYERS; i++) {
    const h = states.at(-1)!;
    const normed = layerNorm(h, parameter(`g${i}`, [D]), parameter(`b${i}`, [D]), 1e-5);
    const mixed = mul(softmax(matmul(normed, parameter(`w${i}`, [D, D]))), h);
    states.push(add(h, matmul(gelu(mixed), parameter(`v${i}`, [D, D]))));
  }
  const loss = sum(mul(exp(mul(states.at(-1)!, 0.1)), states.at(-1)!));
  return { x, wrt, states, loss };
}

function feedsFor(values: readonly Value[]): Record<string, Tensor> {
  const rng = random(1, "recompute");
  return Object.fromEntries(
    values.map((v) => [
      (v as Value<"input">).attrs.name,
      fromNumbers(Array.from({ length: size(v.shape) }, rng.normal), v.shape, "float64"),
    ]),
  );
}

const gradients = (wrt: readonly Value[], loss: Value, checkpoints: readonly Value[]) =>
  optimize(
    graph(
      "gradients",
      Object.fromEntries(grad(loss, wrt, { checkpoints }).map((g, i) => [(wrt[i] as Value<"input">).attrs.name, g])),
    ),
  );

const count = (g: { nodes: readonly Value[] }, op: Op): number => g.nodes.filter((v) => v.op === op).length;

describe("grad with checkpoints", () => {
  const { x, wrt, states, loss } = stack();
  const plain = gradients(wrt, loss, []);
  const lean = gradients(wrt, loss, states);
  const feeds = feedsFor([x, ...wrt]);

  it("gives the same bits as without", () => {
    const [a, b] = [interpret(plain, feeds), interpret(lean, feeds)];
    expect(Object.keys(b)).toEqual(Object.keys(a));
    for (const [name, t] of Object.entries(a)) expect(b[name]!.data, name).toEqual(t.data);
  });

  it("computes each layer twice, and neither the states nor the segment of the loss", () => {
    expect([count(plain, "softmax"), count(lean, "softmax")]).toEqual([LAYERS, 2 * LAYERS]);
    expect([count(plain, "exp"), count(lean, "exp")].map((n) => n - LAYERS)).toEqual([1, 1]); // LAYERS: gelu's gradients
    const again = lean.nodes.filter((v) => v.scope.startsWith("again."));
    expect(again.length).toBeGreaterThan(0);
    // x·gelu(…) is computed again, the product that makes the next state is not
    expect(again.filter((v) => v.op === "matmul").length).toBe(LAYERS);
  });

  it("needs less memory, about one layer's beside the states", () => {
    const [before, after] = [costOf(plain).peakBytes, costOf(lean).peakBytes];
    expect(after).toBeLessThan(0.7 * before);
  });

  it("keeps only what it is told to: one checkpoint makes two segments", () => {
    const half = gradients(wrt, loss, [states[3]!]);
    expect(count(half, "softmax")).toBe(LAYERS); // before it no checkpoint is read, after it comes the loss
    const both = gradients(wrt, loss, [x, states[3]!]);
    expect(count(both, "softmax")).toBe(LAYERS + 3);
    for (const g of [half, both])
      for (const [name, t] of Object.entries(interpret(plain, feeds)))
        expect(interpret(g, feeds)[name]!.data, name).toEqual(t.data);
  });

  it("passes over checkpoints that the loss does not need", () => {
    const elsewhere = tanh(input("elsewhere", [2]));
    expect(gradients(wrt, loss, [elsewhere]).nodes.map((v) => v.op)).toEqual(plain.nodes.map((v) => v.op));
  });

  it("can be differentiated again", () => {
    const [w] = wrt.slice(2);
    const second = (checkpoints: readonly Value[]) => {
      const [dw] = grad(loss, [w!], { checkpoints });
      return graph("second", { d: grad(sum(mul(dw!, dw!)), [w!])[0]! });
    };
    const [a, b] = [interpret(second([]), feeds), interpret(second(states), feeds)];
    expect(b.d!).toBeAllclose(a.d!, { rtol: 1e-11, atol: 1e-12 }); // sums in another order
  });
});
