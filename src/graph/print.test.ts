import { describe, expect, it } from "vitest";
import { fromNumbers } from "../tensor/index.ts";
import { grad } from "./gradient.ts";
import { graph } from "./graph.ts";
import { cast, constant, input, matmul, mul, reshape, softmax, sum } from "./ops.ts";
import { print, toDot } from "./print.ts";
import { scoped } from "./value.ts";

describe("print", () => {
  it("prints one line a value, with names, shapes, attributes and scopes", () => {
    const x = input("pixel_values", [2, 3, 4]);
    const w = input("encoder.layer.0.weight", [5, 4]);
    const y = scoped("encoder.layer.0", () => softmax(matmul(x, w, { transposeB: true })));
    expect(print(graph("step", { y, loss: mul(sum(y), 0.5) }))).toBe(
      [
        "graph step",
        "pixel_values: f32[2,3,4]",
        "h0: f32[6,4] = reshape(pixel_values)  # encoder.layer.0",
        "encoder.layer.0.weight: f32[5,4]",
        "h1: f32[6,5] = matmul(h0, encoder.layer.0.weight, transposeB)  # encoder.layer.0",
        "h2: f32[2,3,5] = reshape(h1)  # encoder.layer.0",
        "h3: f32[2,3,5] = softmax(h2, axis=2)  # encoder.layer.0",
        "h4: f32[] = sum(h3, axes=[0,1,2])",
        "h5: f32[] = mul(h4, 0.5)",
        "return y = h3, loss = h5",
      ].join("\n"),
    );
  });

  it("prints the first numbers of a constant, and quotes names that would be misread", () => {
    const short = constant(fromNumbers([1, 2], [2], "int64"));
    const long = constant(fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]));
    const odd = cast(input("two words", [], "bool"), "float32");
    expect(print(graph("g", { short, long, odd }))).toBe(
      [
        "graph g",
        "c0: i64[2] = constant(1, 2)",
        "c1: f32[2,3] = constant(1, 2, 3, … 6)",
        '"two words": bool[]',
        'h0: f32[] = cast("two words")',
        "return short = c0, long = c1, odd = h0",
      ].join("\n"),
    );
  });

  it("shows which layer a gradient belongs to", () => {
    const x = input("x", [2]);
    const loss = scoped("layer.1", () => sum(mul(x, x)));
    expect(print(graph("g", { dx: grad(loss, [x])[0]! }))).toContain("# grad.layer.1");
  });
});

describe("toDot", () => {
  it("draws values and the edges between them, without scalar constants", () => {
    const x = input("x", [4]);
    expect(toDot(graph("g", { y: mul(reshape(x, [2, 2]), 3) }))).toBe(
      [
        'digraph "g" {',
        '  n0 [label="x\\nf32[4]", shape=box];',
        '  n1 [label="reshape\\nf32[2,2]"];',
        "  n0 -> n1;",
        '  n3 [label="mul\\nf32[2,2]", peripheries=2];',
        "  n1 -> n3;",
        "}",
      ].join("\n"),
    );
  });
});
