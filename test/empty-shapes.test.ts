/** Axes of no elements, through every engine: the last batch that is empty, a caption without words, a set without pictures. */
import { describe, expect, it } from "vitest";
import { ShapeError } from "../src/errors.ts";
import {
  add,
  argmax,
  barrier,
  broadcastTo,
  cast,
  concat,
  conv2d,
  exp,
  gather,
  gelu,
  grad,
  graph,
  input,
  interpret,
  layerNorm,
  layerNormMean,
  less,
  logSoftmax,
  matmul,
  maxPool2d,
  mul,
  pad,
  permute,
  reduceMax,
  reshape,
  scatterAdd,
  slice,
  softmax,
  sum,
  upsample2d,
  type Value,
  where,
} from "../src/graph/index.ts";
import { compile, type Device, openDevice } from "../src/runtime/index.ts";
import { fromNumbers, size } from "../src/tensor/index.ts";
import { worstError } from "./support/run-lowered.ts";
import { xla } from "./support/xla-device.ts";

let count = 0;
const x = (...shape: number[]): Value => input(`x${count++}`, shape);
const none = x(0, 3);
const ids = input("ids", [0], "int32");
const three = input("n", [3], "int64");
const pictures = x(0, 3, 5, 5);
const weight = x(4, 3, 3, 3);
const picture = { stride: 2, padding: 1 };

const values: Record<string, Value> = {
  elementwise: gelu(exp(add(none, x(3)))),
  compared: where(less(none, x(3)), none, x(3)),
  cast: cast(cast(none, "int64"), "bool"),
  barrier: barrier(none, [x(2)]),
  reshaped: reshape(x(0, 4), [2, 0, 2]),
  turned: permute(none, [1, 0]),
  spread: broadcastTo(x(1, 3), [2, 0, 3]),
  cutToNothing: slice(x(4, 2), 0, 2, 2),
  cutOfNothing: slice(none, 1, 0, 1),
  padded: pad(none, [1, 0], [2, 0]),
  joined: concat([none, x(2, 3), x(0, 3)], 0),
  sumOfNothing: sum(none, [0]),
  sumOfAll: sum(none),
  largestOfNothing: reduceMax(none, [0]),
  placesOfNoRows: argmax(none, 1),
  productWithoutRows: matmul(none, x(3, 2)),
  productOfNothing: add(matmul(x(2, 0), x(5, 0), { transposeB: true }), x(5)),
  products: matmul(x(2, 0, 3), x(2, 3, 4)),
  productsOfNothing: mul(matmul(x(2, 3, 4, 0), x(2, 3, 4, 0), { transposeB: true }), 0.5),
  softmax: softmax(x(2, 3, 0)),
  logSoftmax: logSoftmax(none),
  normed: layerNorm(none, x(3), x(3), 1e-5),
  mean: layerNormMean(none),
  gathered: gather(x(4, 2), ids),
  gatheredOfWidth0: gather(x(4, 0), three),
  scattered: scatterAdd(x(0, 2), ids, 4),
  scatteredOfWidth0: scatterAdd(x(3, 0), three, 4),
  convolved: conv2d(pictures, weight, picture),
  ...Object.fromEntries(
    grad(sum(conv2d(pictures, weight, picture)), [pictures, weight]).map((g, i) => [`convolutionGradient${i}`, g]),
  ),
  pooled: maxPool2d(pictures, 3, { stride: 2, padding: 1 }),
  pooledGradient: grad(sum(maxPool2d(pictures, 3, { stride: 2, padding: 1 })), [pictures])[0]!,
  enlarged: upsample2d(pictures, 2),
};

const feedOf = (v: Value) =>
  fromNumbers(
    Array.from({ length: size(v.shape) }, (_, i) => (v.dtype === "float32" ? Math.sin(i + 1) : i)),
    v.shape,
    v.dtype as "float32",
  );

async function compare(device: Device): Promise<void> {
  const g = graph("empty", values);
  const feeds = Object.fromEntries(Object.entries(g.inputs).map(([name, v]) => [name, feedOf(v)]));
  const expected = interpret(g, feeds);
  using executable = await compile(g, device);
  const found = await executable.run(feeds);
  for (const [name, t] of Object.entries(expected)) {
    expect(found[name]!.shape, name).toEqual(t.shape);
    expect(worstError(found[name]!, t), name).toBeLessThan(1e-5);
  }
}

describe("axes of no elements", () => {
  it("give on the device cpu what the interpreter gives", async () => compare(await openDevice("cpu", { threads: 1 })));

  it.skipIf(!xla)("give on xla:cpu what the interpreter gives", () => compare(xla!));

  it("are refused where there is no answer: the place of a maximum, a mean", () => {
    expect(() => argmax(x(3, 0), 1)).toThrow(ShapeError);
    expect(() => argmax(x(3, 0), 1)).toThrow(/axis 1 of \(3, 0\) has no elements/);
    expect(() => layerNorm(x(2, 0), x(0), x(0), 1e-5)).toThrow(ShapeError);
    expect(() => layerNormMean(x(2, 0))).toThrow(ShapeError);
  });
});
