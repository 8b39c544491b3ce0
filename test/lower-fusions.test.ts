/** Each fusion: the operators with and without it, and the same numbers either way. */
import { describe, expect, it } from "vitest";
import {
  add,
  conv2d,
  type Graph,
  gelu,
  grad,
  graph,
  input,
  layerNorm,
  layerNormInvStd,
  layerNormMean,
  matmul,
  mul,
  permute,
  reshape,
  softmax,
  sum,
  swapLast,
  type Value,
} from "../src/graph/index.ts";
import { interpret } from "../src/graph/interpret/index.ts";
import { optimize } from "../src/graph/passes/index.ts";
import type { FusionName } from "../src/lower/onnx/index.ts";
import { fromNumbers, random, size } from "../src/tensor/index.ts";
import { operators, runLowered, worstError } from "./support/run-lowered.ts";

interface Case {
  readonly name: string;
  readonly outputs: () => Readonly<Record<string, Value>>;
  /** Operators with the fusion; the count of an operator that is not named is not looked at. */
  readonly fused: Readonly<Record<string, number>>;
  readonly plain: Readonly<Record<string, number>>;
}

const x = (...shape: number[]): Value => input(`x${shape}`, shape);
const y = (...shape: number[]): Value => input(`y${shape}`, shape);
const bias = input("bias", [6]);
const heads = (v: Value): Value => permute(v, [0, 2, 1, 3]);

/** Σ f(x)², whose gradient needs everything. */
const square = (v: Value): Value => sum(mul(v, v));

function attentionGradient(causal: boolean): Record<string, Value> {
  const [q, k, v] = ["q", "k", "v"].map((name) => input(name, [2, 7, 3, 4])) as [Value, Value, Value];
  let scores = mul(matmul(heads(q), heads(k), { transposeB: true }), 0.5);
  if (causal) scores = add(scores, input("mask", [2, 1, 1, 7]));
  const out = heads(matmul(softmax(scores), heads(v)));
  const [dq, dk, dv] = grad(square(out), [q, k, v]);
  return { dq: dq!, dk: dk!, dv: dv! };
}

function normGradient(): Record<string, Value> {
  const [v, w, b] = [x(3, 5, 6), input("w", [6]), bias];
  const out = layerNorm(v, w, b, 1e-5);
  const [dx, dw, db] = grad(square(out), [v, w, b]);
  return { out, dx: dx!, dw: dw!, db: db! };
}

const cases: Readonly<Record<FusionName, readonly Case[]>> = {
  gemm: [
    {
      name: "absorbs transposes and constant factors of two matrices",
      outputs: () => ({ a: mul(matmul(x(3, 4), permute(y(6, 4), [1, 0])), 0.5) }),
      fused: { Gemm: 1, Transpose: 0, Mul: 0 },
      plain: { Gemm: 0, MatMul: 1, Transpose: 1, Mul: 1 },
    },
    {
      name: "absorbs a factor on an operand that others read too",
      outputs: () => {
        const scaled = mul(x(3, 4), 3);
        return { a: matmul(scaled, y(4, 6)), b: matmul(scaled, y(6, 4), { transposeB: true }) };
      },
      fused: { Gemm: 2, Mul: 0 },
      plain: { MatMul: 2, Mul: 1 },
    },
    {
      name: "keeps a product that others read",
      outputs: () => {
        const p = matmul(x(3, 4), y(4, 6));
        return { p, twice: mul(p, 2) };
      },
      fused: { MatMul: 1, Mul: 1, Gemm: 0 },
      plain: { MatMul: 1, Mul: 1 },
    },
  ],
  gemmBias: [
    {
      name: "adds a bias inside the product, through reshapes",
      outputs: () => ({ a: add(matmul(x(2, 5, 4), y(4, 6)), bias), b: add(bias, matmul(x(3, 4), y(4, 6))) }),
      fused: { Gemm: 2, Add: 0 },
      plain: { MatMul: 2, Add: 2 },
    },
    {
      name: "takes a bias with leading axes of size 1",
      outputs: () => ({ a: add(matmul(x(2, 5, 4), y(4, 6)), input("row", [1, 1, 6])) }),
      fused: { Gemm: 1, Add: 0 },
      plain: { MatMul: 1, Add: 1 },
    },
    {
      name: "leaves a column, a residual and a bias that widens the result alone",
      outputs: () => ({
        a: add(matmul(x(3, 4), y(4, 6)), input("column", [3, 1])),
        b: add(matmul(x(3, 5), y(5, 6)), input("residual", [3, 6])),
        c: add(matmul(x(3, 4), y(4, 1)), bias),
        d: add(reshape(matmul(x(4, 4), y(4, 3)), [2, 6]), bias),
        e: add(matmul(x(1, 4), y(4, 6)), input("rows", [2, 1, 6])),
      }),
      fused: { Gemm: 0, MatMul: 5, Add: 5 },
      plain: { MatMul: 5, Add: 5 },
    },
  ],
  transposedProduct: [
    {
      name: "moves the transpose of the left matrix out of the product",
      outputs: () => ({ a: matmul(x(5, 3), y(5, 4), { transposeA: true }) }),
      fused: { MatMul: 1, Transpose: 1, Gemm: 0 },
      plain: { Gemm: 1, Transpose: 0 },
    },
    {
      name: "turns the product round where that leaves fewer rows",
      outputs: () => ({ a: matmul(x(5, 4), y(5, 3), { transposeA: true }) }),
      fused: { MatMul: 1, Transpose: 2, Gemm: 0 },
      plain: { Gemm: 1 },
    },
    {
      name: "works on batches, with a factor",
      outputs: () => ({
        a: mul(matmul(x(2, 3, 5, 4), y(2, 3, 5, 3), { transposeA: true }), 0.5),
        b: matmul(x(2, 5, 3), y(2, 5, 4), { transposeA: true }),
        c: mul(matmul(x(5, 3), y(5, 4), { transposeA: true }), 3),
      }),
      fused: { FusedMatMul: 1, MatMul: 1, Gemm: 1, Transpose: 4 },
      plain: { FusedMatMul: 2, Gemm: 1, Transpose: 0 },
    },
    {
      name: "leaves products of two transposed operands and broadcast batches alone",
      outputs: () => ({
        a: matmul(x(5, 3), y(4, 5), { transposeA: true, transposeB: true }),
        b: matmul(x(2, 5, 3), y(1, 5, 4), { transposeA: true }),
      }),
      fused: { Gemm: 1, FusedMatMul: 1, Transpose: 0 },
      plain: { Gemm: 1, FusedMatMul: 1, Transpose: 0 },
    },
  ],
  fusedMatMul: [
    {
      name: "absorbs transposes and factors of batched products",
      outputs: () => ({
        a: mul(matmul(x(2, 3, 4), swapLast(y(2, 6, 4))), 0.125),
        b: matmul(swapLast(x(2, 3, 4)), mul(y(2, 3, 4), 2), { transposeA: true, transposeB: true }),
      }),
      fused: { FusedMatMul: 2, Transpose: 0, Mul: 0 },
      plain: { MatMul: 2, Transpose: 4, Mul: 2 },
    },
  ],
  layerNormStats: [
    {
      name: "computes mean and deviation once, for the result and for its gradient",
      outputs: normGradient,
      fused: { LayerNormalization: 1, ReduceMean: 0, Sqrt: 0 },
      plain: { LayerNormalization: 1, Sqrt: 1 },
    },
    {
      name: "does not lend a deviation with another eps",
      outputs: () => {
        const v = x(4, 6);
        const [mean, deviation] = [layerNormMean(v), layerNormInvStd(v, 0.5)];
        return { a: layerNorm(v, input("w", [6]), bias, 1e-5), mean, deviation };
      },
      fused: { LayerNormalization: 1, Sqrt: 1 },
      plain: { LayerNormalization: 1, Sqrt: 1 },
    },
    {
      name: "does not lend statistics of a layerNorm whose weight depends on them",
      outputs: () => {
        const v = x(4, 6);
        const mean = layerNormMean(v);
        return { a: layerNorm(v, mul(input("w", [6]), sum(mean)), bias, 1e-5) };
      },
      fused: { LayerNormalization: 1, ReduceMean: 1 },
      plain: { LayerNormalization: 1, ReduceMean: 1 },
    },
  ],
  geluGradient: [
    {
      name: "shortens the gradient of gelu",
      outputs: () => {
        const v = x(5, 40);
        return { dx: grad(square(gelu(add(v, y(40)))), [v])[0]! };
      },
      fused: { HardSigmoid: 1, Div: 1 },
      plain: { HardSigmoid: 0, Erf: 1 },
    },
  ],
  softmaxGradient: [
    {
      name: "multiplies by the probabilities once",
      outputs: () => {
        const v = x(3, 8);
        return { dx: grad(sum(mul(softmax(v), y(3, 8))), [v])[0]! };
      },
      fused: { Sub: 1, Mul: 2 },
      plain: { Sub: 1, Mul: 2 },
    },
    {
      name: "sums over the smaller product in attention",
      outputs: () => attentionGradient(true),
      fused: { Softmax: 1 },
      plain: { Softmax: 1 },
    },
    {
      name: "sums over any axis",
      outputs: () => {
        const v = x(3, 8, 2);
        return { dx: grad(sum(mul(softmax(v, 1), y(3, 8, 2))), [v])[0]! };
      },
      fused: { Sub: 1 },
      plain: { Sub: 1 },
    },
  ],
  sumSquare: [
    {
      name: "sums squares without writing them",
      outputs: () => {
        const v = x(4, 5);
        return { all: square(v), rows: sum(mul(v, v), [1], { keep: true }), product: sum(mul(v, y(4, 5))) };
      },
      fused: { ReduceSumSquare: 2, ReduceSum: 1, Mul: 1 },
      plain: { ReduceSumSquare: 0, ReduceSum: 3, Mul: 2 },
    },
  ],
  pointwiseWeightGradient: [
    {
      name: "is one product over all pixels",
      outputs: () => {
        const w = input("w", [4, 3, 1, 1]);
        return { dw: grad(square(conv2d(x(2, 3, 5, 6), w)), [w])[0]! };
      },
      fused: { Gemm: 1, Conv: 1 },
      plain: { Conv: 2 },
    },
    {
      name: "leaves other kernels, strides and paddings alone",
      outputs: () => {
        const [w, v] = [input("w", [4, 3, 1, 1]), x(2, 3, 5, 6)];
        const loss = add(square(conv2d(v, w, { stride: 2 })), square(conv2d(v, w, { padding: 1 })));
        return { dw: grad(loss, [w])[0]! };
      },
      fused: { Gemm: 0, Conv: 4 },
      plain: { Gemm: 0, Conv: 4 },
    },
  ],
};

const ALL = Object.keys(cases) as FusionName[];

function feedsFor(g: Graph) {
  const rng = random(3, g.name);
  return Object.fromEntries(
    Object.entries(g.inputs).map(([name, { shape }]) => [
      name,
      fromNumbers(
        Array.from({ length: size(shape) }, () => rng.normal()),
        shape,
      ),
    ]),
  );
}

for (const [fusion, list] of Object.entries(cases))
  describe(fusion, () => {
    for (const { name, outputs, fused, plain } of list)
      it(name, async () => {
        const g = optimize(graph(name, outputs()));
        const without = ALL.filter((other) => other !== fusion);
        for (const [options, expected] of [
          [{}, fused],
          [{ fusions: without }, plain],
        ] as const) {
          const counts = operators(g, options);
          expect(Object.fromEntries(Object.keys(expected).map((op) => [op, counts[op] ?? 0]))).toEqual(expected);
        }
        const feeds = feedsFor(g);
        const expected = interpret(g, feeds);
        const [alone, gpu] = [{ fusions: [fusion as FusionName] }, { target: "webgpu" as const }];
        for (const options of [{ fusions: ALL }, { fusions: without }, { fusions: [] }, alone, gpu]) {
          const actual = await runLowered(g, feeds, options);
          for (const [key, t] of Object.entries(expected)) {
            expect(actual[key]!.shape).toEqual(t.shape);
            expect(worstError(actual[key]!, t), `${key} with ${JSON.stringify(options)}`).toBeLessThan(3e-6);
          }
        }
      });
  });
