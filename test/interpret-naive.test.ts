/** Second opinions on the interpreter: ten-line loops over nested arrays, and numbers known from elsewhere. */
import { describe, expect, it } from "vitest";
import {
  argmax,
  conv2d,
  gather,
  gelu,
  graph,
  input,
  layerNorm,
  logSoftmax,
  matmul,
  maxPool2d,
  permute,
  scatterAdd,
  softmax,
  upsample2d,
  Value,
} from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { fromNumbers, random, size, type Tensor, toNumbers } from "../src/tensor/index.ts";
import { FLOAT64 } from "./support/tolerances.ts";

type Nested = number | Nested[];

/** Random float64 numbers as a nested array: the naive versions know nothing of strides. */
function nested(shape: readonly number[], name: string): Nested {
  const rng = random(5, name);
  const build = ([n, ...rest]: readonly number[]): Nested =>
    n === undefined ? rng.normal() : Array.from({ length: n }, () => build(rest));
  return build(shape);
}

const flat = (x: Nested): number[] => (Array.isArray(x) ? x.flatMap(flat) : [x]);

function shapeOf(x: Nested): number[] {
  return Array.isArray(x) ? [x.length, ...shapeOf(x[0]!)] : [];
}

const asTensor = (x: Nested): Tensor => fromNumbers(flat(x), shapeOf(x), "float64");

/** Runs one operation on float64 arrays (and int32 indices). */
function run(build: (...inputs: Value[]) => Value, ...arrays: (Nested | Tensor)[]): Tensor {
  const feeds: Record<string, Tensor> = {};
  const inputs = arrays.map((a, i) => {
    const t = typeof a === "object" && "dtype" in a ? a : asTensor(a);
    feeds[`x${i}`] = t;
    return input(`x${i}`, t.shape, t.dtype as "float64" | "int32");
  });
  return interpret(graph("g", { y: build(...inputs) }), feeds).y!;
}

const range = (n: number): number[] => [...Array(n).keys()];
type M = number[][];

describe("the interpreter agrees with loops over nested arrays", () => {
  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])("matmul, transposes %s %s, batches broadcast", (transposeA, transposeB) => {
    const [m, k, n] = [3, 7, 6];
    const a = nested([2, 1, ...(transposeA ? [k, m] : [m, k])], "a") as M[][];
    const b = nested([5, ...(transposeB ? [n, k] : [k, n])], "b") as M[];
    const left = (s: number, i: number, p: number): number => (transposeA ? a[s]![0]![p]![i]! : a[s]![0]![i]![p]!);
    const right = (t: number, p: number, j: number): number => (transposeB ? b[t]![j]![p]! : b[t]![p]![j]!);
    const expected = range(2).map((s) =>
      range(5).map((t) =>
        range(m).map((i) => range(n).map((j) => range(k).reduce((sum, p) => sum + left(s, i, p) * right(t, p, j), 0))),
      ),
    );
    expect(run((x, y) => new Value("matmul", [x, y], { transposeA, transposeB }), a, b)).toBeAllclose(
      asTensor(expected),
      FLOAT64,
    );
  });

  it.each([
    { stride: 1, padding: 0, dilation: 1, groups: 1 },
    { stride: 2, padding: 1, dilation: 1, groups: 1 },
    { stride: 3, padding: 2, dilation: 1, groups: 1 },
    { stride: 1, padding: 2, dilation: 2, groups: 2 },
    { stride: 2, padding: 1, dilation: 1, groups: 4 },
  ])("conv2d %o", ({ stride, padding, dilation, groups }) => {
    const [C, H, W, kh, kw] = [4, 6, 5, 3, 2];
    const x = nested([2, C, H, W], "x") as M[][];
    const w = nested([4, C / groups, kh, kw], "w") as M[][];
    const places = (n: number, kernel: number): number[] =>
      range(n + 2 * padding).filter((i) => i % stride === 0 && i + dilation * (kernel - 1) < n + 2 * padding);
    const at = (b: number, c: number, i: number, j: number): number => x[b]![c]![i - padding]?.[j - padding] ?? 0;
    const expected = range(2).map((b) =>
      range(4).map((o) =>
        places(H, kh).map((i) =>
          places(W, kw).map((j) => {
            const first = Math.floor(o / (4 / groups)) * (C / groups);
            let sum = 0;
            for (const c of range(C / groups))
              for (const u of range(kh))
                for (const v of range(kw))
                  sum += at(b, first + c, i + u * dilation, j + v * dilation) * w[o]![c]![u]![v]!;
            return sum;
          }),
        ),
      ),
    );
    const window = { stride, padding, dilation, groups };
    expect(run((a, b) => conv2d(a, b, window), x, w)).toBeAllclose(asTensor(expected), FLOAT64);
  });

  it.each([
    { kernel: 3, stride: 2, padding: 1 },
    { kernel: 2, stride: 1, padding: 0 },
    { kernel: 2, stride: 3, padding: 1 },
  ])("maxPool2d %o", ({ kernel, stride, padding }) => {
    const [H, W] = [7, 6];
    const x = nested([2, 2, H, W], "x") as M[][];
    const places = (n: number): number[] =>
      range(n + 2 * padding).filter((i) => i % stride === 0 && i + kernel <= n + 2 * padding);
    const expected = x.map((image) =>
      image.map((rows) =>
        places(H).map((i) =>
          places(W).map((j) =>
            Math.max(
              ...range(kernel * kernel).map(
                (n) => rows[i + Math.floor(n / kernel) - padding]?.[j + (n % kernel) - padding] ?? -Infinity,
              ),
            ),
          ),
        ),
      ),
    );
    expect(run((v) => maxPool2d(v, kernel, { stride, padding }), x)).toBeAllclose(asTensor(expected), FLOAT64);
  });

  it("layerNorm", () => {
    const x = nested([2, 3, 8], "x") as M[];
    const [w, b] = [nested([8], "w") as number[], nested([8], "b") as number[]];
    const expected = x.map((rows) =>
      rows.map((row) => {
        const mean = row.reduce((s, v) => s + v, 0) / 8;
        const meanSquare = row.reduce((s, v) => s + v * v, 0) / 8;
        const std = Math.sqrt(meanSquare - mean * mean + 1e-5);
        return row.map((v, i) => (v / std - mean / std) * w[i]! + b[i]!);
      }),
    );
    expect(run((a, c, d) => layerNorm(a, c, d, 1e-5), x, w, b)).toBeAllclose(asTensor(expected), FLOAT64);
  });

  it("softmax and logSoftmax, over an axis in the middle", () => {
    const x = nested([2, 5, 3], "x") as M[];
    const share = (b: number, i: number, j: number): number =>
      1 / range(5).reduce((s, k) => s + Math.exp(x[b]![k]![j]! - x[b]![i]![j]!), 0);
    const expected = range(2).map((b) => range(5).map((i) => range(3).map((j) => share(b, i, j))));
    expect(run((v) => softmax(v, 1), x)).toBeAllclose(asTensor(expected), FLOAT64);
    const logs = fromNumbers(flat(expected).map(Math.log), [2, 5, 3], "float64");
    expect(run((v) => logSoftmax(v, 1), x)).toBeAllclose(logs, FLOAT64);
  });

  it("softmax does not overflow", () => {
    expect(run((v) => softmax(v), [1000, 1000, -1000])).toBeAllclose([0.5, 0.5, 0], FLOAT64);
    expect(run((v) => logSoftmax(v), [1000, 0])).toBeAllclose([0, -1000], FLOAT64);
  });

  it("gelu, by integrating the normal density", () => {
    const x = [-4.5, -2, -0.7, -0.1, 0, 0.3, 1, 2.5];
    const steps = 4000;
    const cumulative = (to: number): number => {
      let sum = 0; // Simpson's rule from −12
      const h = (to + 12) / steps;
      for (let i = 0; i <= steps; i++) {
        const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
        sum += weight * Math.exp(-((-12 + i * h) ** 2) / 2);
      }
      return (sum * h) / 3 / Math.sqrt(2 * Math.PI);
    };
    expect(run(gelu, x)).toBeAllclose(
      x.map((v) => v * cumulative(v)),
      { rtol: 1e-8, atol: 1e-11 }, // Simpson's error
    );
  });

  it("maxPool2d, its gradient at the first maximum, and its transpose", () => {
    const x = nested([2, 3, 4, 6], "x") as M[][];
    x[1]![2]![0]!.fill(9); // ties: the first one counts
    const window = (b: number, c: number, i: number, j: number): [number, number, number][] =>
      [0, 1].flatMap((u) => [0, 1].map((v): [number, number, number] => [x[b]![c]![2 * i + u]![2 * j + v]!, u, v]));
    const best = (b: number, c: number, i: number, j: number): [number, number, number] =>
      window(b, c, i, j).reduce((m, w) => (w[0] > m[0] ? w : m));
    const every = <T>(f: (b: number, c: number, i: number, j: number) => T): T[][][][] =>
      range(2).map((b) => range(3).map((c) => range(2).map((i) => range(3).map((j) => f(b, c, i, j)))));
    expect(run((v) => maxPool2d(v, 2), x)).toBeAllclose(asTensor(every((...at) => best(...at)[0])), FLOAT64);

    const g = nested([2, 3, 2, 3], "g") as M[][];
    const spread = x.map((image) => image.map((rows) => rows.map((row) => row.map(() => 0))));
    every((b, c, i, j) => {
      const [, u, v] = best(b, c, i, j);
      spread[b]![c]![2 * i + u]![2 * j + v] = g[b]![c]![i]![j]!;
    });
    const back = run((v, w) => new Value("maxPool2dGrad", [v, w], { kernel: 2, stride: 2, padding: 0 }), x, g);
    expect(back).toBeAllclose(asTensor(spread), FLOAT64);

    const y = nested([2, 3, 4, 6], "y") as M[][];
    const taken = every((b, c, i, j) => {
      const [, u, v] = best(b, c, i, j);
      return y[b]![c]![2 * i + u]![2 * j + v]!;
    });
    const take = run((v, w) => new Value("maxPool2dTake", [v, w], { kernel: 2, stride: 2, padding: 0 }), x, y);
    expect(take).toBeAllclose(asTensor(taken), FLOAT64);
  });

  it("scatterAdd adds all updates of one index, and gather takes them", () => {
    const rows = nested([2, 3, 2], "u") as M[];
    const ids = [
      [0, 3, 3],
      [1, 3, 0],
    ];
    const expected = range(5).map(() => [0, 0]);
    for (const i of range(2))
      for (const j of range(3)) for (const k of range(2)) expected[ids[i]![j]!]![k]! += rows[i]![j]![k]!;
    const indices = fromNumbers(flat(ids), [2, 3], "int32");
    expect(run((u, i) => scatterAdd(u, i, 5), rows, indices)).toBeAllclose(asTensor(expected), FLOAT64);

    const table = nested([2, 4, 2], "t") as M[];
    const taken = table.map((t) => ids.map((row) => row.map((id) => t[id]!)));
    expect(run((t, i) => gather(t, i, 1), table, indices)).toBeAllclose(asTensor(taken), FLOAT64);
  });

  it("permute, all 24 of a shape with 4 axes", () => {
    const sizes = [2, 3, 4, 5];
    const x = nested(sizes, "x") as M[][];
    const orders = range(24).map((code) => {
      const left = range(4);
      return [4, 3, 2, 1].map((n, i) => left.splice(Math.floor(code / [6, 2, 1, 1][i]!) % n, 1)[0]!);
    });
    expect(new Set(orders.map(String)).size).toBe(24);
    for (const perm of orders) {
      const y = run((v) => new Value("permute", [v], { perm }), x);
      expect(y.shape).toEqual(perm.map((p) => sizes[p]));
      const values = toNumbers(y);
      for (let flatIndex = 0; flatIndex < size(sizes); flatIndex += 7) {
        const at: number[] = [];
        let rest = flatIndex;
        for (const d of [...y.shape].reverse()) {
          at.unshift(rest % d);
          rest = Math.floor(rest / d);
        }
        const source = range(4).map((axis) => at[perm.indexOf(axis)]!);
        expect(values[flatIndex]).toBe(x[source[0]!]![source[1]!]![source[2]!]![source[3]!]);
      }
    }
  });
});

describe("the interpreter has known values", () => {
  it("softmax of 1, 2, 3", () => {
    expect(run((v) => softmax(v), [1, 2, 3])).toBeAllclose(
      [0.09003057317038046, 0.24472847105479764, 0.6652409557748219],
      FLOAT64,
    );
  });

  it("gelu of −1, 0, 1 and 2", () => {
    // x·Φ(x) with Φ(1) = 0.841344746068543 and Φ(2) = 0.977249868051821
    expect(run(gelu, [-1, 0, 1, 2])).toBeAllclose([-0.158655253931457, 0, 0.841344746068543, 1.954499736103642], {
      rtol: 1e-14,
    });
  });

  it("layerNorm of 1, 2, 3", () => {
    const y = run((x, w, b) => layerNorm(x, w, b, 0), [1, 2, 3], [1, 1, 2], [0, 0, 1]);
    expect(y).toBeAllclose([-Math.sqrt(1.5), 0, 1 + 2 * Math.sqrt(1.5)], FLOAT64);
  });

  it("a 2 × 2 sum over the numbers 0 to 8, and its gradients", () => {
    const x = [[range(3), [3, 4, 5], [6, 7, 8]]];
    const ones: Nested = [
      [
        [
          [1, 1],
          [1, 1],
        ],
      ],
    ];
    expect(toNumbers(run((a, w) => conv2d(a, w), [x], ones))).toEqual([8, 12, 20, 24]);
    const options = { stride: 1, padding: 0, dilation: 1, groups: 1 };
    const dx = run((g, w) => new Value("conv2dInputGrad", [g, w], { ...options, height: 3, width: 3 }), ones, ones);
    expect(toNumbers(dx)).toEqual([1, 2, 1, 2, 4, 2, 1, 2, 1]);
    const dw = run((a, g) => new Value("conv2dWeightGrad", [a, g], { ...options, kernel: 2 }), [x], ones);
    expect(toNumbers(dw)).toEqual([8, 12, 20, 24]);
  });

  it("maxPool2d, upsample2d, argmax and matmul on small whole numbers", () => {
    const x: Nested = [
      [
        [
          [1, 5, 2, 0],
          [3, 4, 7, 7],
        ],
      ],
    ];
    expect(toNumbers(run((v) => maxPool2d(v, 2), x))).toEqual([5, 7]);
    expect(toNumbers(run((v) => upsample2d(v, 2), [[[[1, 2]]]]))).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    expect(
      toNumbers(
        run(
          (v) => argmax(v, 1),
          [
            [3, 9, 9],
            [1, 0, 0],
          ],
        ),
      ),
    ).toEqual([1, 0]);
    expect(
      toNumbers(
        run(
          (a, b) => matmul(a, b),
          [
            [1, 2],
            [3, 4],
          ],
          [
            [5, 6],
            [7, 8],
          ],
        ),
      ),
    ).toEqual([19, 22, 43, 50]);
    expect(
      toNumbers(
        run(
          (v) => permute(v, [1, 0]),
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
        ),
      ),
    ).toEqual([1, 4, 2, 5, 3, 6]);
  });
});
