import { describe, expect, it } from "vitest";
import { fromNumbers, roundToBfloat16, toNumbers } from "../../tensor/index.ts";
import { grad } from "../gradient.ts";
import { type Graph, graph } from "../graph.ts";
import { interpret } from "../interpret/index.ts";
import { add, argmax, cast, constant, gelu, input, matmul, permute, reshape, slice, softmax, sum } from "../ops.ts";
import { print } from "../print.ts";
import { optimize, precision } from "./index.ts";

const x = input("x", [2, 3]);
const w = input("w", [3, 3]);

/** What computes or casts, and in what, in order. */
const ops = (g: Graph): string[] =>
  g.nodes.flatMap((v) => (v.op === "input" || v.op === "constant" ? [] : [`${v.op}:${v.dtype}`]));

describe("roundToBfloat16", () => {
  it("rounds to nearest, ties to even, and keeps what is not finite", () => {
    expect(roundToBfloat16(1 + 2 ** -8)).toBe(1);
    expect(roundToBfloat16(1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
    expect(roundToBfloat16(1 + 2 ** -8 + 2 ** -20)).toBe(1 + 2 ** -7);
    expect(roundToBfloat16(-1 / 3)).toBe(-0.333984375);
    expect([Number.POSITIVE_INFINITY, Number.NaN, -0, 3.4e38].map(roundToBfloat16)).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NaN,
      -0,
      Number.POSITIVE_INFINITY,
    ]);
  });
});

describe("precision", () => {
  it("casts what products read, each once, and leaves the rest in float32", () => {
    const g = precision(graph("g", { y: softmax(matmul(matmul(x, w), w)) }));
    expect(ops(g)).toEqual([
      "cast:bfloat16",
      "cast:bfloat16",
      "matmul:float32",
      "cast:bfloat16",
      "matmul:float32",
      "softmax:float32",
    ]);
    expect(print(g)).toContain("bf16[2,3] = cast(x)");
  });

  it("keeps rounded results in bfloat16 from product to product: casts that cancel are not there", () => {
    const g = precision(graph("g", { y: matmul(reshape(matmul(x, w), [2, 3]), w) }), { results: "bfloat16" });
    expect(ops(g).filter((op) => op === "cast:float32")).toHaveLength(1); // the result
    expect(ops(g).at(-1)).toBe("cast:float32");
  });

  it("moves elements in bfloat16 where only products read them", () => {
    const g = precision(graph("g", { y: matmul(w, permute(gelu(x), [1, 0])) }));
    expect(ops(g)).toEqual(["cast:bfloat16", "gelu:float32", "cast:bfloat16", "permute:bfloat16", "matmul:float32"]);
  });

  it("casts after what makes less of its operand, and where another reader wants float32", () => {
    const few = precision(graph("g", { y: matmul(slice(x, 0, 0, 1), w) }));
    expect(ops(few)).toContain("slice:float32");
    const turned = permute(x, [1, 0]);
    const both = precision(graph("g", { y: matmul(w, turned), z: add(turned, 1) }));
    expect(ops(both)).toContain("permute:float32");
    expect(ops(both)).not.toContain("permute:bfloat16");
  });

  it("leaves in float32 what serves an argmax alone, and rounds what a loss reads too", () => {
    const words = argmax(matmul(matmul(x, w), w), 1);
    const g = precision(graph("g", { words, y: matmul(x, w) }), { results: "bfloat16" });
    const products = g.nodes.filter(({ op }) => op === "matmul").map(({ inputs }) => inputs[0]!.dtype);
    expect(products.sort()).toEqual(["bfloat16", "float32", "float32"]);
    const logits = matmul(x, w);
    const both = precision(graph("g", { right: argmax(logits, 1), loss: sum(softmax(logits)) }));
    expect(ops(both)).toContain("cast:bfloat16");
  });

  it("leaves results and inputs as they are, whole numbers too", () => {
    const n = input("n", [2], "int32");
    const g = precision(graph("g", { y: matmul(x, w), n: add(n, n) }));
    expect(Object.values(g.outputs).map(({ dtype }) => dtype)).toEqual(["float32", "int32"]);
    expect(Object.values(g.inputs).map(({ dtype }) => dtype)).toEqual(["float32", "float32", "int32"]);
  });

  it("is rounded by the interpreter, in float64 too, and folds constants alike", () => {
    const third = cast(cast(constant(1 / 3), "bfloat16"), "float32");
    for (const g of [graph("g", { third }), optimize(graph("g", { third }))])
      expect(toNumbers(interpret(g, {}).third!)).toEqual([0.333984375]);
    const y = precision(graph("g", { y: matmul(x, w) }));
    const feeds = { x: fromNumbers(new Array(6).fill(1 / 3), [2, 3]), w: fromNumbers(new Array(9).fill(1), [3, 3]) };
    expect(toNumbers(interpret(y, feeds).y!)).toEqual(new Array(6).fill(3 * 0.333984375));
  });

  it("has gradients in the dtype of what they belong to", () => {
    const low = cast(x, "bfloat16");
    const [dw, dx] = grad(sum(matmul(low, cast(w, "bfloat16"))), [w, x]);
    expect([dw!.dtype, dx!.dtype]).toEqual(["float32", "float32"]);
  });
});
