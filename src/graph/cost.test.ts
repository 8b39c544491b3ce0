import { describe, expect, it } from "vitest";
import { costOf } from "./cost.ts";
import { grad } from "./gradient.ts";
import { graph, isOp } from "./graph.ts";
import { add, conv2d, input, matmul, neg, reshape, sum } from "./ops.ts";
import type { Value } from "./value.ts";

const flops = (y: Value): number => costOf(graph("g", { y })).flops;

describe("costOf", () => {
  it("counts 2·m·n·k for a product, whatever is transposed", () => {
    expect(flops(matmul(input("a", [7, 3]), input("b", [3, 5])))).toBe(2 * 7 * 3 * 5);
    expect(flops(matmul(input("a", [2, 3, 7]), input("b", [2, 5, 3]), { transposeA: true, transposeB: true }))).toBe(
      2 * 2 * 7 * 3 * 5,
    );
  });

  it("counts a patch embedding as the matrix product that it is", () => {
    // 16-pixel patches of a 224-pixel image: 196 patches × (3·16·16) → 768
    const y = conv2d(input("x", [1, 3, 224, 224]), input("w", [768, 3, 16, 16]), { stride: 16 });
    expect(flops(y)).toBe(2 * 196 * 768 * 768);
  });

  it("counts twice the forward products for the gradients of both operands", () => {
    const both = (y: Value): number => {
      const wrt = [...Object.values(graph("g", { y }).inputs)];
      const [a, b] = grad(sum(y), wrt);
      return costOf(graph("g", { a: a!, b: b! })).byOp[y.op]?.flops ?? 0;
    };
    const product = matmul(input("a", [7, 3]), input("b", [3, 5]));
    expect(both(product)).toBe(2 * flops(product));
    const x = input("x", [2, 3, 8, 8]);
    const y = conv2d(x, input("w", [4, 3, 3, 3]), { padding: 1 });
    const gradients = grad(sum(y), Object.values(graph("g", { y }).inputs));
    const { byOp } = costOf(graph("g", { dx: gradients[0]!, dw: gradients[1]! }));
    expect([byOp.conv2dInputGrad!.flops, byOp.conv2dWeightGrad!.flops]).toEqual([flops(y), flops(y)]);
  });

  it("counts parameters by name", () => {
    const g = graph("g", { y: matmul(input("x", [7, 3]), input("layer.weight", [3, 5])) });
    expect(costOf(g, { isParameter: (name) => name.endsWith("weight") })).toMatchObject({
      parameters: 15,
      parameterBytes: 60,
    });
  });

  it("frees values after their last use, and takes no memory for a reshape", () => {
    // each of the three negations lives only with its neighbour: 2 × 400 bytes at the peak
    const x = input("x", [100]);
    const chain = costOf(graph("g", { y: neg(reshape(neg(neg(x)), [10, 10])) }));
    expect(chain).toMatchObject({ activationBytes: 1200, peakBytes: 800 });
    // the first is needed again at the end
    const first = neg(x);
    expect(costOf(graph("g", { y: add(neg(neg(neg(first))), first) })).peakBytes).toBe(1200);
    // results stay, unless they are written where an input lies
    expect(costOf(graph("g", { first, y: neg(first) }), { inPlace: (name) => name === "y" }).peakBytes).toBe(400);
    expect(costOf(graph("g", { first, y: neg(neg(neg(first))) })).peakBytes).toBe(1200);
  });

  it("adds up by operation", () => {
    const g = graph("g", { y: neg(neg(input("x", [3]))) });
    expect(costOf(g).byOp.neg).toEqual({ count: 2, flops: 6, bytes: 24 });
    expect(g.nodes.filter((v) => isOp(v, "neg"))).toHaveLength(2);
  });
});
