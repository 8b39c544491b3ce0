/** float16, 8 bits and older operator sets: what the models hold, and how far they are from float32 on ONNX Runtime. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  add,
  constant,
  type Graph,
  gather,
  gelu,
  graph,
  input,
  matmul,
  mul,
  reduceMax,
  softmax,
  type Value,
} from "../../../graph/index.ts";
import type { Engine } from "../../../runtime/onnxruntime/engine.ts";
import { openNativeEngine } from "../../../runtime/onnxruntime/native.ts";
import { fromNumbers, random, size, type Tensor, toNumbers } from "../../../tensor/index.ts";
import { decodeModel, type LowerOptions, toOnnx } from "../index.ts";

const noise = (name: string, shape: readonly number[], scale = 1): Tensor<"float32"> => {
  const rng = random(1, name);
  return fromNumbers(
    Array.from({ length: size(shape) }, () => scale * rng.normal()),
    shape,
  );
};

const x = input("x", [5, 96]);
const weights = { w: noise("w", [64, 96], 0.1), b: noise("b", [64]), v: noise("v", [64, 96], 0.1) };
const [w, b, v] = [input("w", [64, 96]), input("b", [64]), input("v", [64, 96])];
const layer = (row: Value): Value => add(matmul(row, w, { transposeB: true }), b);
const two = graph("two", { y: matmul(gelu(layer(x)), v), z: softmax(mul(matmul(x, v, { transposeB: true }), 0.3)) });

const opsOf = (g: Graph, options: LowerOptions): string[] =>
  decodeModel(toOnnx(g, options).model).graph.nodes.map((n) => n.op);

/** ‖a − b‖ / ‖b‖. */
function distance(a: Tensor, expected: Tensor): number {
  const [p, q] = [toNumbers(a), toNumbers(expected)];
  return Math.hypot(...p.map((value, i) => value - q[i]!)) / Math.hypot(...q);
}

let engine: Engine;
beforeAll(async () => {
  engine = await openNativeEngine();
});

async function run(g: Graph, feeds: Record<string, Tensor>, options: LowerOptions): Promise<Record<string, Tensor>> {
  const { model, outputs } = toOnnx(g, options);
  using session = await engine.createSession(model, { threads: 1 });
  const want = Object.fromEntries(Object.keys(outputs).map((name) => [name, "host" as const]));
  return (await session.run(feeds, want)) as Record<string, Tensor>;
}

async function distances(g: Graph, feeds: Record<string, Tensor>, options: LowerOptions): Promise<number[]> {
  const { dtype: _, reduceRange: __, ...exact } = options;
  const [found, expected] = [await run(g, feeds, options), await run(g, feeds, exact)];
  return Object.keys(expected).map((name) => distance(found[name]!, expected[name]!));
}

describe("fp16", () => {
  const options = { initializers: weights, dtype: "fp16" } as const;

  it("stores weights and computes products in float16; inputs, outputs and softmax are float32", () => {
    const { graph: model } = decodeModel(toOnnx(two, options).model);
    expect(model.initializers.filter((t) => t.shape.length > 0).map((t) => t.dtype)).toEqual([
      "float16",
      "float16",
      "float16",
    ]);
    expect([...model.inputs, ...model.outputs].map((p) => p.dtype)).toEqual(["float32", "float32", "float32"]);
    const softmaxNode = model.nodes.find((n) => n.op === "Softmax")!;
    expect(model.nodes.find((n) => n.outputs[0] === softmaxNode.inputs[0])!.op).toBe("Cast");
  });

  it("casts an operand once, and not between a product and a gelu", () => {
    expect(opsOf(two, options)).toEqual(["Cast", "Gemm", "Gelu", "MatMul", "Gemm", "Cast", "Softmax", "Cast"]);
  });

  it("is near float32", async () => {
    for (const d of await distances(two, { x: noise("x", [5, 96]) }, options)) expect(d).toBeLessThan(2e-3);
  });

  it("leaves in float32 what does not fit into float16", async () => {
    const large = { ...weights, v: noise("v", [64, 96], 1e5) };
    const given = { ...options, initializers: large };
    const found = await run(two, { x: noise("x", [5, 96]) }, given);
    expect(toNumbers(found.y!).every(Number.isFinite)).toBe(true);
    const { initializers } = decodeModel(toOnnx(two, given).model).graph;
    expect(initializers.find((t) => t.name === "v")!.dtype).toBe("float32");
  });

  it("looks up rows of a float16 table", async () => {
    const ids = input("ids", [3], "int32");
    const g = graph("rows", { y: mul(gather(input("table", [9, 4]), ids), 2) });
    const table = noise("table", [9, 4]);
    const feeds = { ids: fromNumbers([8, 0, 8], [3], "int32") };
    expect((await distances(g, feeds, { initializers: { table }, dtype: "fp16" }))[0]).toBeLessThan(1e-3);
    expect(opsOf(g, { initializers: { table }, dtype: "fp16" })).toEqual(["Gather", "Cast", "Mul"]);
  });
});

describe("q8", () => {
  const options = { initializers: weights, dtype: "q8" } as const;

  it("multiplies whole numbers; activations that several products read are rounded once", () => {
    const ops = opsOf(two, options);
    expect(ops.filter((op) => op === "MatMulInteger")).toHaveLength(3);
    expect(ops.filter((op) => op === "DynamicQuantizeLinear")).toHaveLength(2);
    expect(ops.filter((op) => op === "Gemm" || op === "MatMul")).toEqual([]);
    const { initializers } = decodeModel(toOnnx(two, options).model).graph;
    const whole = initializers.filter((t) => t.dtype === "int8");
    expect(whole.map((t) => t.shape)).toEqual([
      [96, 64],
      [64, 96],
      [96, 64],
    ]);
    expect(initializers.some((t) => t.dtype === "float32" && t.shape.length > 1)).toBe(false);
  });

  it("is near float32, with 7 bits a little farther", async () => {
    const feeds = { x: noise("x", [5, 96]) };
    const eight = await distances(two, feeds, options);
    const seven = await distances(two, feeds, { ...options, reduceRange: true });
    for (const d of eight) expect(d).toBeLessThan(0.02);
    for (const d of seven) expect(d).toBeLessThan(0.03);
    expect(seven[0]!).toBeGreaterThan(eight[0]!);
  });

  it("takes a channel of zeros, and one that is far larger than the others", async () => {
    const odd = noise("w", [64, 96], 0.1);
    odd.data.fill(0, 0, 96);
    for (let i = 96; i < 192; i++) odd.data[i]! *= 1e4;
    const g = graph("odd", { y: layer(x) });
    const given = { initializers: { w: odd, b: weights.b } };
    const feeds = { x: noise("x", [5, 96]) };
    const [found, expected] = [await run(g, feeds, { ...given, dtype: "q8" }), await run(g, feeds, given)];
    const column = (t: Tensor, c: number): number[] => toNumbers(t).filter((_, i) => i % 64 === c);
    expect(column(found.y!, 0)).toEqual(column(expected.y!, 0));
    for (const c of [1, 2]) {
      const [p, q] = [column(found.y!, c), column(expected.y!, c)];
      expect(Math.hypot(...p.map((value, i) => value - q[i]!)) / Math.hypot(...q)).toBeLessThan(0.05);
    }
  });

  it("keeps tables of many rows in 8 bits, a factor for each row", async () => {
    const table = noise("table", [100, 32]);
    for (let i = 0; i < 32; i++) table.data[i]! *= 100;
    const ids = input("ids", [2, 2], "int32");
    const g = graph("rows", { y: matmul(gather(input("table", [100, 32]), ids), input("m", [32, 8])) });
    const given = { initializers: { table, m: noise("m", [32, 8]) }, dtype: "q8" } as const;
    const { initializers } = decodeModel(toOnnx(g, given).model).graph;
    expect(initializers.find((t) => t.dtype === "int8" && t.shape[0] === 100)!.shape).toEqual([100, 32]);
    expect((await distances(g, { ids: fromNumbers([1, 99, 0, 5], [2, 2], "int32") }, given))[0]).toBeLessThan(0.02);
  });

  it("refuses a model without fixed weights", () => {
    expect(() => toOnnx(two, { dtype: "q8" })).toThrow(/8 bits: expected products with fixed weights, found none/);
  });
});

describe("opset", () => {
  it("writes gelu with erf before 20, the same to rounding", async () => {
    expect(opsOf(two, { opset: 20 })).toContain("Gelu");
    expect(opsOf(two, { opset: 18 })).not.toContain("Gelu");
    const model = decodeModel(toOnnx(two, { opset: 17 }).model);
    expect(model).toMatchObject({ irVersion: 8, opsets: [{ domain: "", version: 17 }] });
    const feeds = { x: noise("x", [5, 96]), ...weights };
    const [old, now] = [await run(two, feeds, { opset: 17 }), await run(two, feeds, {})];
    expect(distance(old.y!, now.y!)).toBeLessThan(1e-6);
  });

  it("refuses one that is unknown or too old for the graph", () => {
    expect(() => toOnnx(two, { opset: 13 })).toThrow(/opset: expected 17, 18, 19, 20, 21, got 13/);
    expect(() => toOnnx(graph("most", { y: reduceMax(x) }), { opset: 17 })).toThrow(/ReduceMax .* needs 18/);
    expect(() => toOnnx(graph("most", { y: add(reduceMax(x), constant(1)) }), { opset: 18 })).not.toThrow();
  });
});
