/** Two devices of one process, one program with its collectives inside: what one device gives on the joined batch. */
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
} from "../src/graph/index.ts";
import { interpret, interpretWorkers } from "../src/graph/interpret/index.ts";
import { createReplicas } from "../src/runtime/xla/replicas.ts";
import { fromNumbers, random, type Tensor, toNumbers } from "../src/tensor/index.ts";
import "./support/matchers.ts";
import { xla } from "./support/xla-device.ts";

const [WORKERS, B, D, E] = [2, 3, 5, 4]; // pairs of one worker, features, embedding
const FLOAT32 = { rtol: 1e-5, atol: 1e-6 };

/** The global contrastive loss in the small, and its gradients; each worker sees its own pairs. */
function contrastive(pairs: number, workers: number): Graph {
  const [x, y, labels] = [input("x", [pairs, D]), input("y", [pairs, D]), input("labels", [pairs, pairs * workers])];
  const [w, v] = [input("w", [D, E]), input("v", [D, E])];
  const texts = allGather(tanh(matmul(y, v)), workers);
  const logits = matmul(tanh(matmul(x, w)), texts, { transposeB: true });
  const loss = neg(sum(mul(logSoftmax(logits), labels)));
  const [dw, dv] = grad(loss, [w, v]);
  return graph("contrastive", {
    loss: allReduce(loss, workers),
    dw: allReduce(dw!, workers),
    dv: allReduce(dv!, workers),
  });
}

const normals = (name: string, shape: number[]): Tensor => {
  const rng = random(3, name);
  return fromNumbers(
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => rng.normal()),
    shape,
  );
};
const rows = (t: Tensor, rank: number): Tensor => {
  const width = t.shape[1]!;
  return fromNumbers(toNumbers(t).slice(rank * B * width, (rank + 1) * B * width), [B, width]);
};

describe.skipIf(!xla)("two devices of xla:cpu", () => {
  it("give the contrastive loss and the gradients of one device on the joined batch", async () => {
    const n = B * WORKERS;
    const identity = Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
    const batch = { x: normals("x", [n, D]), y: normals("y", [n, D]), labels: fromNumbers(identity, [n, n]) };
    const weights = { w: normals("w", [D, E]), v: normals("v", [D, E]) };
    const expected = interpret(contrastive(n, 1), { ...batch, ...weights });
    using replicas = await createReplicas(xla!, contrastive(B, WORKERS));
    const feeds = Array.from({ length: WORKERS }, (_, rank) => ({
      ...weights,
      ...Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, rows(t, rank)])),
    }));
    const found = await replicas.run(feeds);
    expect(found).toHaveLength(WORKERS);
    for (const one of found)
      for (const [name, t] of Object.entries(expected))
        expect(toNumbers(one[name]!), name).toBeAllclose(toNumbers(t), FLOAT32);
  });

  it("run every collective as the interpreter's workers do", async () => {
    const x = input("x", [4, 2]);
    const g = graph("all", { a: allGather(x, WORKERS), r: reduceScatter(x, WORKERS), s: allReduce(x, WORKERS) });
    const feeds = [{ x: normals("first", [4, 2]) }, { x: normals("second", [4, 2]) }];
    using replicas = await createReplicas(xla!, g);
    const found = await replicas.run(feeds);
    for (const [rank, expected] of interpretWorkers(g, feeds).entries())
      for (const [name, t] of Object.entries(expected)) {
        expect(found[rank]![name]!.shape).toEqual(t.shape);
        expect(toNumbers(found[rank]![name]!), name).toBeAllclose(toNumbers(t), FLOAT32);
      }
  });

  it("refuse a graph between more workers than there are devices", async () => {
    await expect(createReplicas(xla!, graph("g", { y: allReduce(input("x", [1]), 3) }))).rejects.toThrow(
      /expected 1 to 2 replicas/,
    );
  });
});
