/** What the model file says: names, scopes, outputs, initialisers, external data, and what is refused. */
import { describe, expect, it } from "vitest";
import {
  add,
  allReduce,
  cast,
  constant,
  erf,
  exp,
  type Graph,
  graph,
  input,
  matmul,
  mul,
  neg,
  scoped,
  sum,
} from "../../graph/index.ts";
import { fromNumbers, type Tensor, zerosLike } from "../../tensor/index.ts";
import { joinExternalData } from "./external.ts";
import { type LowerOptions, toOnnx } from "./lower.ts";
import { decodeModel } from "./read.ts";
import type { OnnxModel } from "./schema.ts";
import { encodeModel } from "./write.ts";

const x = input("x", [2, 3]);
const w = input("w", [3, 4]);
const read = (g: Graph, options: LowerOptions = {}): OnnxModel => decodeModel(toOnnx(g, options).model);
const W = fromNumbers(
  Array.from({ length: 12 }, (_, i) => i),
  [3, 4],
);

describe("toOnnx", () => {
  it("writes a model that says what it is", () => {
    const model = read(graph("two", { y: matmul(x, w) }), { metadata: { made: "today", by: "ünïcode" } });
    expect(model).toMatchObject({
      irVersion: 10,
      producer: "flava",
      opsets: [{ domain: "", version: 21 }],
      metadata: { made: "today", by: "ünïcode" },
    });
    expect(model.graph).toMatchObject({
      name: "two",
      inputs: [
        { name: "x", dtype: "float32", shape: [2, 3] },
        { name: "w", dtype: "float32", shape: [3, 4] },
      ],
      outputs: [{ name: "y", dtype: "float32", shape: [2, 4] }],
      nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
    });
  });

  it("imports com.microsoft only when a node is from there", () => {
    const batched = matmul(input("a", [2, 3, 4]), input("b", [2, 3, 4]), { transposeB: true });
    const domains = (options: LowerOptions): string[] =>
      read(graph("g", { y: batched }), options).opsets.map((o) => o.domain);
    expect(domains({})).toEqual(["", "com.microsoft"]);
    expect(domains({ fusions: [] })).toEqual([""]);
  });

  it("puts scopes before node names, and lists them", () => {
    const y = scoped("layer.0/é 'x'", () => exp(x));
    const { model, nodeScopes } = toOnnx(graph("g", { y: neg(y) }));
    const names = decodeModel(model).graph.nodes.map((n) => n.name);
    expect(names[0]).toMatch(/^layer\.0\/é 'x'\/exp_\d+$/);
    expect(names[1]).toMatch(/^neg_\d+$/);
    expect(nodeScopes).toEqual({ [names[0]!]: "layer.0/é 'x'", [names[1]!]: "" });
  });

  it("keeps an input's name from clashing with the names that it makes up", () => {
    const g = graph("g", { const_0: mul(exp(input("exp_0", [2])), 3), exp_1: neg(input("const_1", [2])) });
    const { nodes, initializers } = read(g).graph;
    const names = [...nodes.flatMap((n) => n.outputs), ...initializers.map((t) => t.name), ...Object.keys(g.inputs)];
    expect(new Set(names).size).toBe(names.length);
  });

  it("gives two outputs of one value two names", () => {
    const y = exp(x);
    const { nodes, outputs } = read(graph("g", { first: y, second: y })).graph;
    expect(outputs.map((o) => o.name)).toEqual(["first", "second"]);
    expect(nodes.map((n) => [n.op, n.inputs, n.outputs])).toEqual([
      ["Exp", ["x"], ["first"]],
      ["Identity", ["first"], ["second"]],
    ]);
  });

  it("copies an output that is an input or a constant", () => {
    const { nodes } = read(graph("g", { y: x, c: constant(2) })).graph;
    expect(nodes.map((n) => [n.op, n.outputs[0]])).toEqual([
      ["Identity", "y"],
      ["Identity", "c"],
    ]);
  });

  it("renames an output that has an input's name, and says so", () => {
    const { outputs, inputs } = toOnnx(graph("g", { x: exp(x), "x:out": neg(x) }));
    expect(inputs.x!.name).toBe("x");
    expect(outputs.x!.name).not.toBe("x");
    expect(new Set(Object.values(outputs).map((o) => o.name)).size).toBe(2);
    expect(outputs["x:out"]!.name).toBe("x:out");
  });

  it("shares equal constants, but not 0 and −0, and not dtypes", () => {
    const values = [0, 0, -0].map((c) => add(x, c));
    const whole = add(input("i", [2], "int32"), 0);
    const { initializers } = read(graph("g", { a: values[0]!, b: values[1]!, c: values[2]!, whole })).graph;
    expect(initializers.map((t) => t.dtype).sort()).toEqual(["float32", "float32", "int32"]);
  });

  it("turns chosen inputs into initialisers", () => {
    const { model, inputs } = toOnnx(graph("g", { y: matmul(x, w) }), { initializers: { w: W } });
    expect(Object.keys(inputs)).toEqual(["x"]);
    const { initializers, inputs: fed } = decodeModel(model).graph;
    expect(fed.map((p) => p.name)).toEqual(["x"]);
    expect(initializers).toHaveLength(1);
    expect([...new Float32Array(initializers[0]!.bytes!.slice().buffer)]).toEqual([...W.data]);
  });

  it("refuses initialisers that do not fit", () => {
    const g = graph("g", { y: matmul(x, w) });
    const lower = (initializers: Record<string, Tensor>) => () => toOnnx(g, { initializers });
    expect(lower({ v: W })).toThrow(/initializer "v": expected the name of an input/);
    expect(lower({ w: zerosLike("float32", [4, 3]) })).toThrow(/expected \(3, 4\), got \(4, 3\)/);
    expect(lower({ w: zerosLike("int32", [3, 4]) })).toThrow(/expected float32, got int32/);
  });

  it("keeps large initialisers beside the model, at page boundaries", () => {
    const big = zerosLike("float32", [3, 400]);
    big.data.fill(2.5);
    const g = graph("g", {
      y: matmul(x, w),
      z: matmul(x, input("big", [3, 400])),
      s: sum(matmul(x, input("big2", [3, 400]))),
    });
    const { model, externalData } = toOnnx(g, {
      initializers: { w: W, big, big2: big },
      external: { location: "m.onnx_data", thresholdBytes: 100 },
    });
    expect(externalData).toMatchObject({ location: "m.onnx_data", sizeBytes: 8192 + 4800 });
    const stored = Object.fromEntries(decodeModel(model).graph.initializers.map((t) => [t.name, t]));
    expect(stored.w!.bytes).toHaveLength(48);
    expect(stored.big).toMatchObject({ external: { location: "m.onnx_data", offset: 0, length: 4800 } });
    expect(stored.big2!.external!.offset).toBe(8192);
    const joined = joinExternalData(externalData!);
    expect(new Float32Array(joined.buffer, 8192, 1200).every((v) => v === 2.5)).toBe(true);
    expect(new Float32Array(joined.buffer, 4800, 848).every((v) => v === 0)).toBe(true);
  });

  it("refuses products of bfloat16", () => {
    const x = cast(input("x", [2, 2]), "bfloat16");
    expect(() => toOnnx(graph("g", { y: matmul(x, x) }))).toThrow(
      /products of bfloat16 are not lowered.*help: .*fp32/s,
    );
  });

  it("refuses float64 where the engine has no kernel, and collectives of several workers", () => {
    expect(() => toOnnx(graph("g", { y: erf(input("d", [2], "float64")) }))).toThrow(/expected float32 values/);
    expect(() => toOnnx(graph("g", { y: allReduce(x, 2) }))).toThrow(/allReduce: not lowered: 2 workers/);
  });
});

describe("decodeModel", () => {
  it("reads back what encodeModel writes", () => {
    const bytes = new Uint8Array([0, 0, 128, 63]);
    const scalar = { name: "t", dtype: "float32", shape: [], bytes } as const;
    const inner = { name: "in", nodes: [], initializers: [], inputs: [], outputs: [] };
    const model: OnnxModel = {
      irVersion: 10,
      producer: "p",
      opsets: [{ domain: "", version: 21 }],
      metadata: { k: "v" },
      graph: {
        name: "g",
        nodes: [
          {
            name: "n",
            op: "Op",
            domain: "com.example",
            inputs: ["a", "", "b"],
            outputs: ["c", "d"],
            attrs: {
              int: { int: -7 },
              float: { float: 0.5 },
              string: { string: "λ" },
              ints: { ints: [1, -2, 2 ** 40] },
              empty: { ints: [] },
              floats: { floats: [0.25, -1] },
              tensor: { tensor: scalar },
              graph: { graph: inner },
            },
          },
        ],
        initializers: [
          scalar,
          { name: "e", dtype: "int64", shape: [2, 3], external: { location: "f", offset: 2 ** 33, length: 48 } },
        ],
        inputs: [{ name: "a", dtype: "bool", shape: ["batch", 3] }],
        outputs: [{ name: "c", dtype: "float16", shape: [] }],
      },
    };
    expect(decodeModel(encodeModel(model))).toEqual(model);
  });

  it("refuses bytes that are not a model", () => {
    expect(() => decodeModel(new Uint8Array([255, 255, 255]))).toThrow(/expected a model/);
    expect(() => decodeModel(new Uint8Array())).toThrow(/without one/);
    const half = toOnnx(graph("g", { y: exp(x) })).model;
    expect(() => decodeModel(half.subarray(0, half.length - 5))).toThrow(/do not parse/);
  });
});
