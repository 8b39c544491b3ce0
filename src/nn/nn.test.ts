import { describe, expect, it } from "vitest";
import { derivativeErrors, normals, only } from "../../test/support/finite-difference.ts";
import "../../test/support/matchers.ts";
import { FINITE_DIFFERENCE, FLOAT64 } from "../../test/support/tolerances.ts";
import {
  add,
  allReduce,
  conv2d,
  grad,
  graph,
  input,
  interpret,
  mul,
  permute,
  reshape,
  sum,
  type Value,
} from "../graph/index.ts";
import { interpretWorkers } from "../graph/interpret/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../tensor/index.ts";
import {
  attention,
  batchNorm,
  bicubicMatrix,
  convNormal,
  convolution,
  embedding,
  fanOutNormal,
  initialize,
  initialTensor,
  l2Normalize,
  layerNorm,
  linear,
  mlp,
  normal,
  ones,
  Params,
  paddingMask,
  patchEmbedding,
  type Taps,
  truncatedNormal,
  zeros,
} from "./index.ts";

type Feeds = Record<string, Tensor>;
const at = (name: string, shape: readonly number[]) => input(name, shape) as Value<"input">;

/** Random numbers for every declared parameter. */
const parameters = (p: Params): Feeds => Object.fromEntries(p.specs().map((s) => [s.name, normals(s.name, s.shape)]));

function run(outputs: Record<string, Value>, feeds: Feeds): Record<string, Tensor> {
  const g = graph("layer", outputs);
  return interpret(g, only(g, feeds));
}

function expectGradients(loss: Value, p: Params, feeds: Feeds, ...more: Value<"input">[]): void {
  const wrt = [...Object.values(p.values()), ...more] as Value<"input">[];
  for (const { name, error } of derivativeErrors(loss, wrt, feeds)) expect(error, name).toBeLessThan(FINITE_DIFFERENCE);
}

const squares = (y: Value): Value => sum(mul(y, mul(y, y)));

describe("Params", () => {
  it("names tensors by their scopes and gives one tensor for one name", () => {
    const p = new Params();
    const w = p.at("flava").at("layer.0").get("weight", [2, 3], ones);
    expect(p.at("flava.layer").at(0).get("weight", [2, 3], zeros)).toBe(w);
    expect(p.specs()).toEqual([{ name: "flava.layer.0.weight", shape: [2, 3], init: ones, aliases: [] }]);
    expect(w.scope).toBe("flava.layer.0");
    expect(p.value("flava.layer.0.weight")).toBe(w);
  });
  it("refuses one name with two shapes, and unknown names", () => {
    const p = new Params();
    p.get("w", [2], zeros);
    expect(() => p.get("w", [3], zeros)).toThrow("w: declared as (2), now asked for (3)");
    expect(() => p.value("v")).toThrow(/"v"/);
  });
  it("uses and differentiates a clamped tensor at its clamped value", () => {
    const p = new Params();
    const s = p.get("scale", [], zeros, { clamp: [0, 4] });
    const [slope] = grad(mul(s, s), [p.values().scale!]) as [Value];
    for (const [stored, used] of [
      [-3, 0],
      [2, 2],
      [9, 4],
    ] as const) {
      const found = run({ s, slope }, { scale: fromNumbers([stored], [], "float64") });
      expect([...toNumbers(found.s!), ...toNumbers(found.slope!)]).toEqual([used, 2 * used]);
    }
    expect(p.values().scale).toBe(s);
  });
  it("carries the initialiser of weights through scopes", () => {
    const p = new Params({ weightInit: normal(0.5) });
    expect(p.at("a.b").weightInit).toEqual(normal(0.5));
    expect(p.at("a").withWeights(truncatedNormal(0.1)).at("b").weightInit).toEqual(truncatedNormal(0.1));
  });
});

describe("initialize", () => {
  const spec = (name: string, shape: readonly number[], init: Parameters<typeof initialTensor>[0]["init"]) => ({
    name,
    shape,
    init,
    aliases: [],
  });
  it("is a function of seed and name, not of order", () => {
    const [a, b] = [spec("a", [50], normal(1)), spec("b", [50], normal(1))];
    expect(initialize([a, b], 1)).toEqual(initialize([b, a], 1));
    expect(initialize([a], 1)).not.toEqual(initialize([a], 2));
    expect(initialTensor(a, 1).data).not.toEqual(initialTensor(b, 1).data);
  });
  it("has the asked mean, deviation and bounds", () => {
    const moments = (init: Parameters<typeof spec>[2], shape: readonly number[] = [200, 100]) => {
      const x = [...initialTensor(spec("x", shape, init), 5).data];
      const mean = x.reduce((s, v) => s + v, 0) / x.length;
      return { mean, std: Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / x.length), x };
    };
    const plain = moments(normal(0.02));
    expect(Math.abs(plain.mean)).toBeLessThan(0.02 * 4 * 20000 ** -0.5);
    expect(Math.abs(plain.std / 0.02 - 1)).toBeLessThan(0.02);
    const cut = moments(truncatedNormal(1, 1.5)).x;
    expect(Math.max(...cut.map(Math.abs))).toBeLessThanOrEqual(1.5);
    expect(Math.max(...cut)).toBeGreaterThan(1.4);
    expect(Math.abs(moments(convNormal, [100, 10, 5, 4]).std / 200 ** -0.5 - 1)).toBeLessThan(0.02);
    expect(Math.abs(moments(fanOutNormal, [100, 10, 5, 4]).std / 1000 ** -0.5 - 1)).toBeLessThan(0.02);
  });
  it("leaves the padding row at zero", () => {
    const { data } = initialTensor(spec("words", [4, 3], { kind: "normal", std: 1, zeroRow: 1 }), 1);
    expect([...data.slice(3, 6)]).toEqual([0, 0, 0]);
    expect([...data].filter((x) => x === 0).length).toBe(3);
  });
});

describe("linear", () => {
  const p = new Params();
  const x = at("x", [2, 3, 4]);
  const y = linear(p.at("dense"), x, 5);
  const feeds = { ...parameters(p), x: normals("x", [2, 3, 4]) };
  it("is x Wᵀ + b with names of the checkpoints", () => {
    expect(p.specs().map(({ name, shape }) => [name, shape])).toEqual([
      ["dense.weight", [5, 4]],
      ["dense.bias", [5]],
    ]);
    const [w, b, v] = ["dense.weight", "dense.bias", "x"].map((n) => toNumbers(feeds[n as keyof typeof feeds]!));
    const naive = Array.from({ length: 6 }, (_, r) =>
      Array.from(
        { length: 5 },
        (_, o) => b![o]! + [0, 1, 2, 3].reduce((s, i) => s + v![r * 4 + i]! * w![o * 4 + i]!, 0),
      ),
    ).flat();
    const found = run({ y }, feeds).y!;
    expect(found.shape).toEqual([2, 3, 5]);
    expect(toNumbers(found)).toBeAllclose(naive, FLOAT64);
  });
  it("has the gradients of finite differences", () => expectGradients(squares(y), p, feeds, x));
  it("can do without a bias", () => {
    const q = new Params();
    linear(q, x, 5, { bias: false });
    expect(q.specs().map(({ name }) => name)).toEqual(["weight"]);
  });
});

describe("layerNorm and l2Normalize", () => {
  const p = new Params();
  const x = at("x", [3, 5]);
  const feeds = { x: normals("n", [3, 5]) };
  it("layerNorm starts as standardisation", () => {
    const y = layerNorm(p.at("norm"), x, 1e-12);
    const init = { "norm.weight": fromNumbers([1, 1, 1, 1, 1], [5]), "norm.bias": fromNumbers([0, 0, 0, 0, 0], [5]) };
    const v = toNumbers(run({ y }, { ...feeds, ...init }).y!);
    for (let r = 0; r < 3; r++) {
      const row = v.slice(r * 5, r * 5 + 5);
      expect([row.reduce((a, b) => a + b, 0) / 5, row.reduce((a, b) => a + b * b, 0) / 5]).toBeAllclose([0, 1], {
        atol: 1e-10,
      });
    }
  });
  it("l2Normalize gives length 1, and 0 with gradient 0 for a zero vector", () => {
    const y = l2Normalize(x);
    const v = toNumbers(run({ y }, feeds).y!);
    expect([0, 1, 2].map((r) => Math.hypot(...v.slice(r * 5, r * 5 + 5)))).toBeAllclose([1, 1, 1], FLOAT64);
    for (const { error } of derivativeErrors(squares(y), [x], feeds)) expect(error).toBeLessThan(FINITE_DIFFERENCE);
    expect(toNumbers(run({ y }, { x: fromNumbers(new Array(15).fill(0), [3, 5]) }).y!)).toEqual(new Array(15).fill(0));
  });
});

describe("batchNorm", () => {
  const [B, PARTS] = [6, 3];
  const [shape, cotangent] = [[B, 2, 3, 2], normals("g", [B, 2, 3, 2])];
  /** Far from 0, where a variance made of sums of squares loses its digits. */
  const x = {
    ...normals("x", shape),
    data: Float64Array.from(toNumbers(normals("x", shape)), (v) => v + 1e6),
  } as Tensor;
  const feeds = { x, g: cotangent, weight: normals("w", [2]), bias: normals("b", [2]) };

  /** Results, and gradients of a sum over the whole batch, on one of so many parts. */
  function normed(parts: number): Record<string, Value> {
    const p = new Params({ parts });
    const part = [B / parts, ...shape.slice(1)];
    const y = batchNorm(p, at("x", part), { statistics: "batch" });
    const wrt = [at("x", part), p.value("weight"), p.value("bias")];
    const [dx, dw, db] = grad(sum(mul(y, at("g", part))), wrt) as [Value, Value, Value];
    return { y, dx, dw: allReduce(dw, parts), db: allReduce(db, parts), ...p.observed() };
  }

  it("of a batch in parts is that of the whole batch, its gradients and running statistics too", () => {
    const whole = run(normed(1), feeds);
    const g = graph("parts", normed(PARTS));
    const size = x.data.length / PARTS;
    const rows = (t: Tensor, i: number): Tensor =>
      ({ ...t, shape: [B / PARTS, ...shape.slice(1)], data: t.data.slice(i * size, (i + 1) * size) }) as Tensor;
    const own = Array.from({ length: PARTS }, (_, i) => ({ ...feeds, x: rows(x, i), g: rows(cotangent, i) }));
    for (const [i, found] of interpretWorkers(g, own).entries())
      for (const [name, value] of Object.entries(found)) {
        const expected = ["y", "dx"].includes(name) ? rows(whole[name]!, i) : whole[name]!;
        expect(value, `part ${i}: ${name}`).toBeAllclose(expected, { rtol: 1e-8, atol: 1e-8 });
      }
  });
});

describe("attention", () => {
  const [B, N, D, heads] = [2, 3, 4, 2];
  const p = new Params();
  const x = at("x", [B, N, D]);
  const keep = input("keep", [B, N], "int32");
  const taps: Taps = new Map();
  const y = attention(p.at("attention"), x, { heads, mask: paddingMask(keep, x), out: taps });
  const feeds: Feeds = {
    ...parameters(p),
    x: normals("attention x", [B, N, D]),
    keep: fromNumbers([1, 1, 1, 1, 1, 0], [B, N], "int32"),
  };

  /** By loops: rows of tokens, one head at a time. */
  function naive(): number[] {
    const K = D / heads;
    const v = toNumbers(feeds.x!);
    const keeps = toNumbers(feeds.keep!);
    const project = (name: string, b: number, n: number, o: number): number => {
      const w = toNumbers(feeds[`attention.${name}.weight`]!);
      return (
        toNumbers(feeds[`attention.${name}.bias`]!)[o]! +
        Array.from({ length: D }, (_, i) => v[(b * N + n) * D + i]! * w[o * D + i]!).reduce((s, t) => s + t, 0)
      );
    };
    const result: number[] = [];
    for (let b = 0; b < B; b++)
      for (let n = 0; n < N; n++)
        for (let o = 0; o < D; o++) {
          const head = Math.floor(o / K);
          const weights = Array.from({ length: N }, (_, m) => {
            let score = 0;
            for (let k = head * K; k < (head + 1) * K; k++)
              score += project("query", b, n, k) * project("key", b, m, k);
            return keeps[b * N + m] ? Math.exp(score / Math.sqrt(K)) : 0;
          });
          const total = weights.reduce((s, w) => s + w, 0);
          result.push(weights.reduce((s, w, m) => s + (w / total) * project("value", b, m, o), 0));
        }
    return result;
  }

  it("equals loops over heads, queries and keys, with hidden keys left out", () =>
    expect(toNumbers(run({ y }, feeds).y!)).toBeAllclose(naive(), { rtol: 1e-11, atol: 1e-12 }));
  it("has the gradients of finite differences", () => expectGradients(squares(y), p, feeds, x));
  it("shows its probabilities: rows sum to 1, hidden keys have 0", () => {
    const map = run({ map: taps.get("attention.probabilities")! }, feeds).map!;
    expect(map.shape).toEqual([B, heads, N, N]);
    const rows = Array.from({ length: B * heads * N }, (_, r) => toNumbers(map).slice(r * N, (r + 1) * N));
    expect(rows.map((r) => r.reduce((a, b) => a + b, 0))).toBeAllclose(new Array(rows.length).fill(1), FLOAT64);
    expect(rows.slice(heads * N).every((r) => r[2] === 0)).toBe(true);
  });
  it("attends uniformly where every key is hidden, instead of NaN", () => {
    const none = { ...feeds, keep: fromNumbers([0, 0, 0, 1, 1, 1], [B, N], "int32") };
    const map = toNumbers(run({ map: taps.get("attention.probabilities")! }, none).map!);
    expect(map.slice(0, heads * N * N)).toBeAllclose(new Array(heads * N * N).fill(1 / 3), FLOAT64);
  });
});

describe("embedding", () => {
  it("looks rows up, and gives the padding row no gradient", () => {
    const p = new Params();
    const ids = input("ids", [2, 2], "int32");
    const y = embedding(p, ids, 4, 3, { paddingId: 1 });
    const feeds: Feeds = { ...parameters(p), ids: fromNumbers([0, 1, 3, 3], [2, 2], "int32") };
    const w = toNumbers(feeds.weight!);
    expect(toNumbers(run({ y }, feeds).y!)).toEqual([0, 1, 3, 3].flatMap((i) => w.slice(i * 3, i * 3 + 3)));
    const moved = {
      ...feeds,
      weight: fromNumbers(
        w.map((x, i) => (i >= 3 && i < 6 ? 0 : x)),
        [4, 3],
        "float64",
      ),
    };
    expectGradients(squares(y), p, moved);
  });
});

describe("convolutions", () => {
  it("patchEmbedding is a convolution whose kernel is its stride, flattened row by row", () => {
    const p = new Params();
    const x = at("x", [2, 3, 4, 6]);
    const y = patchEmbedding(p, x, 5, 2);
    const feeds = { ...parameters(p), x: normals("pixels", [2, 3, 4, 6]) };
    const direct = add(conv2d(x, p.value("weight"), { stride: 2 }), reshape(p.value("bias"), [1, 5, 1, 1]));
    const flat = reshape(permute(direct, [0, 2, 3, 1]), [2, 6, 5]);
    const found = run({ y, flat }, feeds);
    expect(found.y!).toBeAllclose(found.flat!, FLOAT64);
    expect(() => patchEmbedding(p, at("z", [1, 3, 5, 6]), 5, 2)).toThrow(/5 × 6 pixels are not whole patches of 2/);
  });
  it("convolution keeps the size and has the gradients of finite differences", () => {
    const p = new Params();
    const x = at("x", [2, 2, 4, 4]);
    const y = convolution(p, x, 3, 3);
    expect(y.shape).toEqual([2, 3, 4, 4]);
    expectGradients(squares(y), p, { ...parameters(p), x: normals("c", [2, 2, 4, 4]) }, x);
  });
});

describe("mlp", () => {
  it("puts the activation between layers, not after the last, and numbers them as torch does", () => {
    const p = new Params();
    const y = mlp(p.at("mlp"), at("x", [1, 2]), [2, 2], "relu");
    expect(p.specs().map(({ name }) => name)).toEqual(["mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias"]);
    const eye = fromNumbers([1, 0, 0, 1], [2, 2]);
    const feeds = { "mlp.0.weight": eye, "mlp.2.weight": fromNumbers([-1, 0, 0, -1], [2, 2]) };
    const none = { "mlp.0.bias": fromNumbers([0, 0], [2]), "mlp.2.bias": fromNumbers([0, 0], [2]) };
    expect(toNumbers(run({ y }, { ...feeds, ...none, x: fromNumbers([3, -2], [1, 2]) }).y!)).toBeAllclose([-3, 0]);
  });
});

describe("bicubicMatrix", () => {
  const rows = (n: number, m: number, kind: "size" | "dino") => {
    const matrix = bicubicMatrix(n, m, kind);
    return Array.from({ length: m }, (_, i) => [...matrix.slice(i * n, (i + 1) * n)]);
  };
  it("keeps constants", () => {
    for (const kind of ["size", "dino"] as const)
      for (const row of rows(8, 11, kind)) expect([row.reduce((a, b) => a + b, 0)]).toBeAllclose([1], FLOAT64);
  });
  it("treats both ends alike by size, and not in DINO's variant", () => {
    const mirrored = (kind: "size" | "dino") =>
      rows(8, 11, kind)
        .reverse()
        .flatMap((row) => row.reverse());
    expect(bicubicMatrix(8, 11)).toBeAllclose(mirrored("size"), FLOAT64);
    expect(bicubicMatrix(8, 11, "dino")).not.toBeAllclose(mirrored("dino"), { atol: 1e-3 });
  });
  it("is the identity for the same size", () =>
    expect(bicubicMatrix(3, 3)).toBeAllclose([1, 0, 0, 0, 1, 0, 0, 0, 1], FLOAT64));
});
