/** Golden texts: what a few graphs become, to the letter. That the texts mean the right thing is tested on an engine. */
import { describe, expect, it } from "vitest";
import { NameError } from "../../errors.ts";
import {
  add,
  allReduce,
  cast,
  constant,
  gather,
  gelu,
  graph,
  input,
  matmul,
  mul,
  softmax,
  sum,
  type Value,
} from "../../graph/index.ts";
import { precision } from "../../graph/passes/index.ts";
import { fromNumbers } from "../../tensor/index.ts";
import { toStableHlo } from "./index.ts";

/** The lines between the function's head and its return. */
const body = (y: Value): string[] => {
  const lines = toStableHlo(graph("g", { y })).text.split("\n");
  return lines.slice(2, -4).map((line) => line.trim());
};

describe("toStableHlo", () => {
  it("writes a module with a function, in the generic form", () => {
    const w = input("w", [3, 4]);
    const g = graph("g", { y: matmul(input("x", [2, 3]), w), next: mul(w, 2) });
    expect(toStableHlo(g, { aliases: { w: "next" } })).toEqual({
      text: `module @flava {
  func.func public @main(%arg0: tensor<2x3xf32>, %arg1: tensor<3x4xf32> {tf.aliasing_output = 1 : i32}) -> (tensor<2x4xf32>, tensor<3x4xf32>) {
    %0 = "stablehlo.dot_general"(%arg0, %arg1) {dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %1 = "stablehlo.constant"() {value = dense<2.00000000e+0> : tensor<f32>} : () -> tensor<f32>
    %2 = "stablehlo.broadcast_in_dim"(%1) {broadcast_dimensions = array<i64>} : (tensor<f32>) -> tensor<3x4xf32>
    %3 = "stablehlo.multiply"(%arg1, %2) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    "func.return"(%0, %3) : (tensor<2x4xf32>, tensor<3x4xf32>) -> ()
  }
}
`,
      inputs: [
        { name: "x", shape: [2, 3], dtype: "float32" },
        { name: "w", shape: [3, 4], dtype: "float32" },
      ],
      outputs: [
        { name: "y", shape: [2, 4], dtype: "float32" },
        { name: "next", shape: [3, 4], dtype: "float32" },
      ],
      workers: 1,
    });
  });

  it("writes reductions with their function inside", () => {
    expect(body(sum(input("x", [2, 3]), [1]))).toEqual([
      '%0 = "stablehlo.constant"() {value = dense<0.00000000e+0> : tensor<f32>} : () -> tensor<f32>',
      '%1 = "stablehlo.reduce"(%arg0, %0) ({',
      "^bb0(%p0: tensor<f32>, %p1: tensor<f32>):",
      '%r0 = "stablehlo.add"(%p0, %p1) : (tensor<f32>, tensor<f32>) -> tensor<f32>',
      '"stablehlo.return"(%r0) : (tensor<f32>) -> ()',
      "}) {dimensions = array<i64: 1>} : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>",
    ]);
  });

  it("writes gather with the axes of StableHLO", () => {
    expect(body(gather(input("x", [6, 4]), input("n", [2], "int64")))).toEqual([
      '%0 = "stablehlo.gather"(%arg0, %arg1) {dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>, indices_are_sorted = false} : (tensor<6x4xf32>, tensor<2xi64>) -> tensor<2x4xf32>',
    ]);
  });

  it("uses operations of the specification only", () => {
    const { text } = toStableHlo(graph("g", { y: softmax(gelu(input("x", [2, 3]))) }));
    expect(text).not.toMatch(/chlo|mhlo|custom_call/);
  });

  it("gives numbers back to the bit, also those that no decimal says", () => {
    const numbers = (values: number[], dtype: "float32" | "float64" | "int64" | "bool" = "float32") =>
      /dense<.*?> :/.exec(body(constant(fromNumbers(values, [values.length], dtype)))[0]!)![0].slice(6, -3);
    expect(numbers([0.1, 0.1])).toBe("1.00000001e-1");
    expect(numbers([-0])).toBe("0x80000000");
    expect(numbers([Number.NEGATIVE_INFINITY])).toBe("0xFF800000");
    expect(numbers([1, 2])).toBe('"0x0000803f00000040"');
    expect(numbers([-3, -3], "int64")).toBe("-3");
    expect(numbers([1, 0], "bool")).toBe("[true, false]");
    expect(body(cast(constant(1 / 3, "bfloat16"), "float32"))[0]).toContain("dense<3.33984375e-1> : tensor<bf16>");
  });

  it("lets a product give bfloat16 itself where all its readers round it, if asked", () => {
    const x = input("x", [2, 2]);
    const g = precision(graph("g", { y: matmul(matmul(x, x), x) }));
    const types = (roundProducts: boolean): string[] =>
      [...toStableHlo(g, { roundProducts }).text.matchAll(/dot_general.* -> (\S+)/g)].map(([, type]) => type!);
    expect(types(false)).toEqual(["tensor<2x2xf32>", "tensor<2x2xf32>"]);
    expect(types(true)).toEqual(["tensor<2x2xbf16>", "tensor<2x2xf32>"]);
  });

  it("writes attention in bfloat16 as products of bfloat16 with a softmax in float32 between them", () => {
    const [q, k, v] = ["q", "k", "v"].map((name) => input(name, [2, 4, 3, 8])) as [Value, Value, Value];
    const scores = add(mul(matmul(q, k, { transposeB: true }), 8 ** -0.5), input("mask", [2, 1, 1, 3]));
    const g = precision(graph("g", { y: matmul(softmax(scores), v) }), { results: "bfloat16" });
    const lines = toStableHlo(g, { roundProducts: true }).text.split("\n");
    const steps = lines.flatMap((line) => {
      const [, op, type] = /"stablehlo\.(\w+)".* -> tensor<(.*)>$/.exec(line) ?? [];
      return op === undefined || /constant|broadcast/.test(op) ? [] : [`${op} ${type}`];
    });
    const [scored, mixed] = ["2x4x3x3", "2x4x3x8"];
    expect(steps).toEqual([
      ...[`convert ${mixed}xbf16`, `convert ${mixed}xbf16`, `dot_general ${scored}xbf16`, `convert ${scored}xf32`],
      ...[`multiply ${scored}xf32`, `add ${scored}xf32`, "maximum f32", `subtract ${scored}xf32`],
      ...[`exponential ${scored}xf32`, "add f32", `divide ${scored}xf32`, `convert ${scored}xbf16`],
      ...[`convert ${mixed}xbf16`, `dot_general ${mixed}xbf16`, `convert ${mixed}xf32`],
    ]);
  });

  it("asks for the highest precision of float32 products, but for those that a step in bfloat16 has left", () => {
    const g = graph("g", { y: matmul(input("x", [2, 3]), input("w", [3, 4])) });
    expect(toStableHlo(g).text).toContain("precision HIGHEST");
    expect(toStableHlo(g, { exactProducts: false }).text).not.toContain("HIGHEST");
  });

  it("writes collectives between replicas, and says how many", () => {
    const lowered = toStableHlo(graph("g", { y: allReduce(input("x", [2]), 2) }));
    expect(lowered.workers).toBe(2);
    expect(lowered.text).toContain("replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>");
  });

  it("refuses an alias that does not exist", () => {
    const g = graph("g", { y: mul(input("x", [2]), 2) });
    expect(() => toStableHlo(g, { aliases: { z: "y" } })).toThrow(NameError);
    expect(() => toStableHlo(g, { aliases: { x: "z" } })).toThrow(NameError);
  });
});
