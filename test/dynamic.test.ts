/** Graphs with open axes: one model for every batch and text length, equal to the interpreter on the graph traced at that length. */
import { beforeAll, describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../src/errors.ts";
import {
  add,
  constant,
  type DynamicGraph,
  dynamicPorts,
  formatSize,
  graph,
  input,
  interpret,
  mul,
  reshape,
  sample,
  slice,
  sum,
} from "../src/graph/index.ts";
import { decodeModel, toOnnx } from "../src/lower/onnx/index.ts";
import { dynamicGraph } from "../src/models/dynamic.ts";
import { flavaFamily, multimodalGraph, variants } from "../src/models/flava/index.ts";
import { compile, type Device, openDevice } from "../src/runtime/index.ts";
import { fromNumbers, random, type Tensor } from "../src/tensor/index.ts";
import { golden } from "./golden/numbers.ts";
import { singles } from "./golden/run.ts";
import { tinyParameters } from "./golden/tiny-case.ts";
import "./support/matchers.ts";

const open = (trace: DynamicGraph["trace"], axes: DynamicGraph["axes"] = { rows: {} }): DynamicGraph => ({
  name: "open",
  axes,
  trace,
});

const pairs = dynamicGraph(flavaFamily.of(variants.tiny), ["batch", "textLength"], ({ batch, textLength }) =>
  multimodalGraph(variants.tiny, { batch, textLength }),
);

/** Ids of which the last `padding` of each row are hidden; the last row is nothing but padding. */
function texts(batch: number, length: number): Record<"input_ids" | "attention_mask", Tensor> {
  const rng = random(1, "ids", batch, length);
  const ids = Array.from({ length: batch * length }, () => 1 + Math.floor(rng.uniform() * 38));
  const shown = (i: number): boolean => batch === 1 || (Math.floor(i / length) < batch - 1 && i % length <= i % 5);
  const mask = ids.map((_, i) => Number(shown(i)));
  return {
    input_ids: fromNumbers(ids, [batch, length], "int32"),
    attention_mask: fromNumbers(mask, [batch, length], "int32"),
  };
}

const SIZES = [
  { batch: 1, textLength: 1 },
  { batch: 3, textLength: 12 },
  { batch: 7, textLength: 5 },
];

for (const name of ["cpu", "interpret"] as const)
  describe(`open axes on device ${name}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(name, { threads: 1 });
    });

    it("one compiled graph gives what the interpreter gives for every batch and length, rows of padding included", async () => {
      const weights = tinyParameters(pairs.params);
      const given = name === "interpret" ? weights : singles(weights);
      using executable = await compile(pairs.graph, device, { weights: given });
      for (const { batch, textLength } of SIZES) {
        const pixels = golden("pixel_values", [batch, 3, 32, 32], -2, 2);
        const feeds = { pixel_values: pixels, ...texts(batch, textLength) };
        const expected = interpret(pairs.graph.trace({ batch_size: batch, sequence_length: textLength }), {
          ...feeds,
          ...weights,
        });
        const found = await executable.run(name === "interpret" ? feeds : singles(feeds));
        for (const [key, t] of Object.entries(expected))
          expect(found[key]!, key).toBeAllclose(t, { rtol: 1e-4, atol: 1e-5 });
      }
    });

    it("runs in fp16 and q8 near float32, or says that it can't", async () => {
      const weights = singles(tinyParameters(pairs.params));
      const feeds = singles({ pixel_values: golden("pixel_values", [2, 3, 32, 32], -2, 2), ...texts(2, 6) });
      for (const dtype of ["fp16", "q8"] as const) {
        const compiling = compile(pairs.graph, device, { weights, dtype });
        if (name === "interpret") {
          await expect(compiling).rejects.toThrow(/device interpret runs fp32, not /);
          continue;
        }
        using low = await compiling;
        using exact = await compile(pairs.graph, device, { weights });
        const [found, expected] = [await low.run(feeds), await exact.run(feeds)];
        const limit = dtype === "fp16" ? 0.005 : 0.2;
        for (const key of ["image_embeds", "text_embeds", "itm_logits"])
          expect(found[key], key).toBeAllclose(expected[key]!, { atol: limit });
      }
    });

    it("refuses feeds whose open axes differ", async () => {
      const g = open(({ rows }) => graph("open", { y: add(input("a", [rows!, 2]), input("b", [rows!, 2])) }));
      using executable = await compile(g, device);
      const zeros = (rows: number): Tensor => fromNumbers(Array(rows * 2).fill(0), [rows, 2]);
      await expect(executable.run({ a: zeros(2), b: zeros(3) })).rejects.toThrow(/"b": expected .*got .*\(3, 2\)/);
    });
  });

describe("toOnnx of a graph with open axes", () => {
  const lowered = toOnnx(pairs.graph, { initializers: singles(tinyParameters(pairs.params)) });
  const model = decodeModel(lowered.model);

  it("names the axes of inputs and outputs", () => {
    const shapes = Object.fromEntries([...model.graph.inputs, ...model.graph.outputs].map((p) => [p.name, p.shape]));
    expect(shapes).toMatchObject({
      pixel_values: ["batch_size", 3, 32, 32],
      input_ids: ["batch_size", "sequence_length"],
      text_embeds: ["batch_size", 10],
      multimodal_embeddings: ["batch_size", "sequence_length + 18", 16],
    });
  });

  it("computes each size once", () => {
    const made = model.graph.nodes.filter((n) => ["Shape", "Concat"].includes(n.op) && n.name.startsWith("sizes/"));
    const written = made.map(({ op, inputs, attrs }) => JSON.stringify([op, inputs, attrs]));
    expect(written.length).toBeLessThan(16);
    expect(new Set(written).size).toBe(written.length);
  });

  it("a size may be a product of lengths and a part of a slice", async () => {
    const g = open(
      ({ rows, columns }) => {
        const x = input("x", [rows!, columns!, 2]);
        return graph("open", { y: reshape(slice(x, 1, 1, columns! - 1), [rows! * (columns! - 2), 2]) });
      },
      { rows: {}, columns: {} },
    );
    expect(toOnnx(g).outputs.y!.shape).toEqual(["rows*columns + -2*rows", 2]);
    using executable = await compile(g, await openDevice("cpu"));
    const x = fromNumbers(
      Array.from({ length: 24 }, (_, i) => i),
      [3, 4, 2],
    );
    const found = (await executable.run({ x })).y!;
    expect([...found.data]).toEqual([2, 3, 4, 5, 10, 11, 12, 13, 18, 19, 20, 21]);
    expect(found.shape).toEqual([6, 2]);
  });

  it("refuses numbers, operations and sizes that depend on a length", () => {
    const x = (rows: number) => input("x", [rows, 2]);
    const lower = (trace: DynamicGraph["trace"]) => () => toOnnx(open(trace));
    expect(lower(({ rows }) => graph("open", { y: mul(x(rows!), 1 / rows!) }))).toThrow(ShapeError);
    expect(lower(({ rows }) => graph("open", { y: mul(x(rows!), 1 / rows!) }))).toThrow(
      /open: rows cannot be left open: Mul "mul_\d+" has another operand 1 at other lengths/,
    );
    const other = ({ rows }: { rows?: number }) => (rows === 7 ? sum(x(7), [1]) : mul(x(rows!), 2));
    expect(lower((sizes) => graph("open", { y: other(sizes) }))).toThrow(/another operation/);
    const square = constant(fromNumbers([0], [1, 1]));
    expect(lower(({ rows }) => graph("open", { y: add(square, input("x", [rows! * rows!, 2])) }))).toThrow(
      /the shape of "x" does not follow from rows/,
    );
  });

  it("needs three lengths below the longest", () => {
    const g = open(({ rows }) => graph("open", { y: mul(input("x", [rows!]), 2) }), { rows: { max: 4 } });
    expect(() => toOnnx(g)).toThrow(ConfigError);
    expect(() => toOnnx({ ...g, axes: { rows: { max: 5 } } })).not.toThrow();
  });
});

describe("dynamicPorts", () => {
  it("gives sizes as expressions in the lengths", () => {
    const { inputs, outputs } = dynamicPorts(sample(pairs.graph));
    expect(inputs.input_ids!.shape.map(formatSize)).toEqual(["batch_size", "sequence_length"]);
    expect(outputs.multimodal_embeddings!.shape.map(formatSize)).toEqual(["batch_size", "sequence_length + 18", 16]);
  });
});
