/** The pieces that the compared systems share, on the reference's numbers and by finite differences. */
import { describe, expect, it } from "vitest";
import {
  constant,
  conv2d,
  grad,
  input,
  matmul,
  mul,
  pad,
  reshape,
  sum,
  swapLast,
  type Value,
} from "../../src/graph/index.ts";
import {
  activations,
  alignedMatrix,
  averaged,
  batchNorm,
  bertLayer,
  causalMask,
  initialTensor,
  Params,
  prefixMask,
  tokenAt,
} from "../../src/nn/index.ts";
import { smoothedCrossEntropy } from "../../src/objectives/index.ts";
import { fromNumbers, type Tensor, tensor, toNumbers } from "../../src/tensor/index.ts";
import { derivativeErrors, normals } from "../support/finite-difference.ts";
import { expectLike, filledAll } from "./compared.ts";
import small from "./compared/small.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate, norm } from "./run.ts";

const reference: Readonly<Record<string, unknown>> = small;
const numbered = (name: string, shape: number[], low: number, high: number) => ({
  value: input(name, shape),
  feed: { [name]: golden(name, shape, low, high) },
});

describe("the shared kit", () => {
  it("resizes linearly between aligned ends", () => {
    const { value, feed } = numbered("pos4", [4, 4], -1, 1);
    for (const [h, w] of [
      [3, 2],
      [4, 7],
      [1, 4],
    ] as const) {
      const rows = constant(tensor("float64", [h, 4], alignedMatrix(4, h)), "float32");
      const columns = constant(tensor("float64", [w, 4], alignedMatrix(4, w)), "float32");
      const y = matmul(matmul(rows, value), columns, { transposeB: true });
      const name = `bilinear, align_corners, 4 x 4 to ${h} x ${w}`;
      expectLike(evaluate({ y }, feed).y!, reference[name], name);
    }
  });

  it("smooths labels", () => {
    const { value, feed } = numbered("smooth.logits", [3, 5], -2, 2);
    const targets = constant(fromNumbers([0, 3, 4], [3], "int32"));
    const loss = smoothedCrossEntropy(value, targets, 0.1);
    const found = evaluate({ loss, g: grad(loss, [value])[0]! }, feed);
    expect(found.loss!.data[0]).toBeCloseTo(1.529912438, 8);
    expect(norm(found.g!)).toBeCloseTo(0.4419387453, 9);
  });

  it("normalises by the batch, and observes what the running statistics become", () => {
    const { value: x, feed } = numbered("bn.x", [2, 3, 2, 2], -1, 1);
    const cotangent = numbered("bn.cotangent", [2, 3, 2, 2], -1, 1);
    const p = new Params();
    const y = batchNorm(p.at("bn"), x, { eps: 1e-3, statistics: "batch" });
    const g = grad(sum(mul(y, cotangent.value)), [x])[0]!;
    const first = Object.fromEntries(p.specs().map((spec) => [spec.name, initialTensor(spec, 0)]));
    const found = evaluate({ y, g, ...averaged(p.observed(), 0.1) }, { ...feed, ...cotangent.feed, ...first });
    expectLike(found.y!, reference["batch normalisation, weight 1, bias 0, eps 1e-3"], "y");
    expect(norm(found.g!)).toBeCloseTo(4.177555791, 8);
    expectLike(found["bn.running_mean"]!, reference["running_mean after one step from 0, momentum 0.1"], "mean");
    expectLike(found["bn.running_var"]!, reference["running_var after one step from 1"], "variance");
    expect(Object.keys(p.values())).toEqual(["bn.weight", "bn.bias"]);
    expect(p.specs().filter(({ buffer }) => buffer).map(({ name }) => name)).toEqual([
      "bn.running_mean",
      "bn.running_var",
    ]);
  });

  it("normalises by running statistics, of which nothing is trained where they are frozen", () => {
    const x = input("x", [2, 3, 2, 2]);
    const frozen = new Params();
    const y = batchNorm(frozen, x, { statistics: "frozen" });
    expect(frozen.values()).toEqual({});
    const p = new Params();
    const running = batchNorm(p, x, { statistics: "running" });
    expect(p.observed()).toEqual({});
    const found = evaluate({ y, running }, { x: normals("bn", [2, 3, 2, 2]), ...filledAll(p.specs()) });
    expect(found.running!.data).toEqual(found.y!.data);
  });

  it("convolves depthwise, padded at one end", () => {
    const x = numbered("dw.x", [1, 3, 6, 6], -1, 1);
    const w = numbered("dw.w", [3, 1, 3, 3], -1, 1);
    const c = numbered("dw.cotangent", [1, 3, 3, 3], -1, 1);
    const y = conv2d(pad(x.value, [0, 0, 0, 0], [0, 0, 1, 1]), w.value, { stride: 2, groups: 3 });
    const [dx, dw] = grad(sum(mul(y, c.value)), [x.value, w.value]) as [Value, Value];
    const found = evaluate({ y, dx, dw }, { ...x.feed, ...w.feed, ...c.feed });
    const name = "depthwise convolution, stride 2, one row and column of padding after";
    expectLike(found.y!, reference[name], name);
    expect([norm(found.dx!), norm(found.dw!)].map((n) => n.toFixed(8))).toEqual(["3.96995568", "5.04200440"]);
  });

  it("hides what comes later, but for a prefix", () => {
    const seen = (mask: Value): number[][] => {
      const t = toNumbers(evaluate({ mask }, {}).mask!);
      const N = mask.shape[0]!;
      return Array.from({ length: N }, (_, i) => t.slice(i * N, (i + 1) * N).map((v) => (v === 0 ? 1 : 0)));
    };
    expect(seen(causalMask(3, 5))).toEqual([
      [1, 0, 0],
      [1, 1, 0],
      [1, 1, 1],
    ]);
    expect(seen(prefixMask(4, 2))).toEqual([
      [1, 1, 0, 0],
      [1, 1, 0, 0],
      [1, 1, 1, 0],
      [1, 1, 1, 1],
    ]);
  });

  it("takes a token of each sequence", () => {
    const x = normals("x", [2, 3, 2]);
    const y = tokenAt(input("x", [2, 3, 2]), constant(fromNumbers([2, 0], [2], "int32")), 7);
    expect(toNumbers(evaluate({ y }, { x }).y!)).toEqual([4, 5, 6, 7].map((i) => toNumbers(x)[i]));
  });

  it("has a gradient of cross-attention, post-norm layers and every activation", () => {
    const feeds: Record<string, Tensor> = { x: normals("x", [1, 3, 4]), c: normals("c", [1, 2, 6]) };
    const [x, c] = [input("x", [1, 3, 4]) as Value<"input">, input("c", [1, 2, 6]) as Value<"input">];
    const p = new Params();
    const config = { heads: 2, intermediateSize: 5, layerNormEps: 1e-5, activation: "swish" } as const;
    const y = bertLayer(p, x, config, { mask: causalMask(3), cross: { context: c } });
    const loss = sum(mul(swapLast(y), reshape(x, [1, 4, 3])));
    const inputs = [x, c, ...(Object.values(p.values()) as Value<"input">[])];
    for (const { error, name } of derivativeErrors(loss, inputs, { ...feeds, ...filledAll(p.specs()) }))
      expect(error, name).toBeLessThan(1e-6);
    for (const [name, f] of Object.entries(activations))
      for (const { error } of derivativeErrors(sum(f(x)), [x], feeds)) expect(error, name).toBeLessThan(1e-6);
  });

  it("draws weights within the bounds of their fans", () => {
    for (const [kind, bound] of [
      ["xavierUniform", Math.sqrt(6 / (8 * 9 + 4 * 9))],
      ["fanInUniform", 72 ** -0.5],
    ] as const) {
      const { data } = initialTensor({ name: "w", shape: [4, 8, 3, 3], init: { kind } }, 3);
      const largest = Math.max(...data.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(bound);
      expect(largest).toBeGreaterThan(0.97 * bound);
    }
  });
});
