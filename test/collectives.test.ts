/** Collectives between simulated workers: N workers give what one worker gives on the joined batch, gradients included. */
import { describe, expect, it } from "vitest";
import {
  allGather,
  allReduce,
  type Graph,
  grad,
  graph,
  input,
  logSoftmax,
  matmul,
  mul,
  neg,
  reduceScatter,
  sum,
  tanh,
  type Value,
} from "../src/graph/index.ts";
import { interpret, interpretWorkers } from "../src/graph/interpret/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../src/tensor/index.ts";
import { normals } from "./support/finite-difference.ts";
import { FLOAT64 } from "./support/tolerances.ts";

const [B, D, E] = [3, 5, 4]; // batch of one worker, features, embedding

const rows = (t: Tensor, from: number, to: number): Tensor => {
  const width = t.shape.slice(1).reduce((a, b) => a * b, 1);
  return fromNumbers(toNumbers(t).slice(from * width, to * width), [to - from, ...t.shape.slice(1)], "float64");
};

const dot = (a: Tensor, b: Tensor): number => toNumbers(a).reduce((s, x, i) => s + x * toNumbers(b)[i]!, 0);

/**
 * A global contrastive loss in the small: every worker compares its own images with the texts of all. `labels` marks the
 * matching text of each image; the loss of the whole batch is the sum over workers.
 */
function contrastive(workers: number): Graph {
  const [x, y, labels] = [input("x", [B, D]), input("y", [B, D]), input("labels", [B, B * workers])];
  const [w, v] = [input("w", [D, E]), input("v", [D, E])];
  const texts = allGather(tanh(matmul(y, v)), workers);
  const logits = matmul(tanh(matmul(x, w)), texts, { transposeB: true });
  const loss = neg(sum(mul(logSoftmax(logits), labels)));
  const [dw, dv] = grad(loss, [w, v]);
  const all = (value: Value): Value => allReduce(value, workers);
  return graph("contrastive", { loss: all(loss), dw: all(dw!), dv: all(dv!) });
}

/** The same loss, written for one worker with the joined batch. */
function joined(workers: number): Graph {
  const n = B * workers;
  const [x, y, labels] = [input("x", [n, D]), input("y", [n, D]), input("labels", [n, n])];
  const [w, v] = [input("w", [D, E]), input("v", [D, E])];
  const logits = matmul(tanh(matmul(x, w)), tanh(matmul(y, v)), { transposeB: true });
  const loss = neg(sum(mul(logSoftmax(logits), labels)));
  const [dw, dv] = grad(loss, [w, v]);
  return graph("joined", { loss, dw: dw!, dv: dv! });
}

describe.each([2, 3])("%i workers", (workers) => {
  const n = B * workers;
  const identity = Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const batch = {
    x: normals("x", [n, D]),
    y: normals("y", [n, D]),
    labels: fromNumbers(identity, [n, n], "float64"),
  };
  const weights = { w: normals("w", [D, E]), v: normals("v", [D, E]) };

  it("give the contrastive loss and the gradients of one worker on the joined batch", () => {
    const expected = interpret(joined(workers), { ...batch, ...weights });
    const feeds = Array.from({ length: workers }, (_, r) => ({
      ...weights,
      ...Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, rows(t, r * B, (r + 1) * B)])),
    }));
    for (const actual of interpretWorkers(contrastive(workers), feeds))
      for (const name of ["loss", "dw", "dv"]) expect(actual[name]!, name).toBeAllclose(expected[name]!, FLOAT64);
  });

  it.each([
    ["allGather", (x: Value) => allGather(x, workers)],
    ["reduceScatter", (x: Value) => reduceScatter(x, workers)],
    ["allReduce", (x: Value) => allReduce(x, workers)],
  ] as const)("%s: its gradient is its transpose, over all workers together", (name, collective) => {
    // ⟨A x, y⟩ = ⟨x, Aᵀ y⟩, both summed over workers, where Aᵀ y is the gradient of Σ ⟨A x, y⟩
    const x = input("x", [2 * workers, 2]);
    const result = collective(x);
    const y = input("y", result.shape);
    const [transposed] = grad(sum(mul(result, y)), [x]);
    const g = graph(name, { result, transposed: transposed! });
    const feeds = Array.from({ length: workers }, (_, r) => ({
      x: normals(`${name} x${r}`, x.shape),
      y: normals(`${name} y${r}`, y.shape),
    }));
    let [left, right] = [0, 0];
    interpretWorkers(g, feeds).forEach((out, r) => {
      left += dot(out.result!, feeds[r]!.y);
      right += dot(feeds[r]!.x, out.transposed!);
    });
    expect([left]).toBeAllclose([right], FLOAT64);
    expect(Math.abs(left)).toBeGreaterThan(1e-3);
  });

  it("reduceScatter after allGather multiplies by the number of workers", () => {
    const x = input("x", [B, 2]);
    const g = graph("both", { y: reduceScatter(allGather(x, workers), workers) });
    const feeds = Array.from({ length: workers }, (_, r) => ({ x: normals(`x${r}`, [B, 2]) }));
    interpretWorkers(g, feeds).forEach(({ y }, r) => {
      expect(y!).toBeAllclose(
        fromNumbers(
          toNumbers(feeds[r]!.x).map((v) => workers * v),
          [B, 2],
          "float64",
        ),
        FLOAT64,
      );
    });
  });
});

describe("one worker", () => {
  it("collectives build nothing", () => {
    const x = input("x", [4, 2]);
    expect([allGather(x, 1), reduceScatter(x, 1), allReduce(x, 1)]).toEqual([x, x, x]);
  });
});
