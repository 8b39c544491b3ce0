import { describe, expect, test } from "vitest";
import { type GraphSpec, onnxModel, type PortSpec } from "../../../test/support/onnx-model.ts";
import { openWebGpu } from "../../../test/support/webgpu-device.ts";
import { DTypeError, EngineError, type FlavaError, NameError, ShapeError } from "../../errors.ts";
import { type DType, fromNumbers, random, size, type Tensor, tensor, toNumbers } from "../../tensor/index.ts";
import type { Buffer, Session } from "../session.ts";
import type { Engine, OrtSessionOptions } from "./engine.ts";
import { openJsEngine } from "./js.ts";
import { openNativeEngine } from "./native.ts";
import { openWasmEngine } from "./web/engine.ts";
import { openNodeWebGpuEngine } from "./webgpu/engine.ts";

const port = (name: string, shape: PortSpec[2], dtype: DType = "float32"): PortSpec => [name, dtype, shape];
const one = (t: Tensor | Buffer | undefined): Tensor => t as Tensor;
const floats = (t: Tensor | Buffer | undefined): number[] => toNumbers(one(t));

function normal(shape: readonly number[], seed: number): Tensor {
  const { normal: draw } = random(seed, "engines.test");
  return tensor("float32", shape, Float32Array.from({ length: size(shape) }, draw));
}

/** A second opinion: (m, k) by (k, n) in doubles. */
function naiveMatmul(a: Tensor, b: Tensor): number[] {
  const [m, k] = a.shape as [number, number];
  const n = b.shape[1]!;
  const [x, y] = [toNumbers(a), toNumbers(b)];
  return Array.from({ length: m * n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += x[Math.floor(i / n) * k + j]! * y[j * n + (i % n)]!;
    return sum;
  });
}

const matmulAdd: GraphSpec = {
  inputs: [port("a", ["rows", 5]), port("b", [5, 4]), port("bias", [4])],
  outputs: [port("product", ["rows", 4]), port("sum", ["rows", 4])],
  nodes: [
    { op: "MatMul", inputs: ["a", "b"], outputs: ["product"] },
    { op: "Add", inputs: ["product", "bias"], outputs: ["sum"] },
  ],
};

/** p ← p − lr·g, m ← 0.5·m + g, over vectors of n. */
const update = (n: number): GraphSpec => ({
  inputs: [port("p", [n]), port("m", [n]), port("g", [n]), port("lr", [])],
  outputs: [port("p_next", [n]), port("m_next", [n])],
  nodes: [
    { op: "Mul", inputs: ["m", "half"], outputs: ["decayed"] },
    { op: "Add", inputs: ["decayed", "g"], outputs: ["m_next"] },
    { op: "Mul", inputs: ["m_next", "lr"], outputs: ["step"] },
    { op: "Sub", inputs: ["p", "step"], outputs: ["p_next"] },
  ],
  initializers: { half: fromNumbers([0.5], []) },
});

const identity = (dtype: DType): GraphSpec => ({
  inputs: [port("x", ["n"], dtype)],
  outputs: [port("y", ["n"], dtype)],
  nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
});

const samples: { readonly [D in Exclude<DType, "bfloat16">]: Tensor<D> } = {
  float64: tensor("float64", [3], Float64Array.of(1 / 3, -0, Number.MAX_VALUE)),
  float32: tensor("float32", [3], Float32Array.of(1.5, -2, 3e38)),
  float16: tensor("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x7bff)),
  int64: tensor("int64", [3], BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 62n + 1n)),
  int32: tensor("int32", [3], Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)),
  uint8: tensor("uint8", [3], Uint8Array.of(0, 1, 255)),
  bool: tensor("bool", [3], Uint8Array.of(0, 1, 1)),
};

/** WebGPU's other engine is tested in a browser (test/web). */
const engines = {
  "ort-native": openNativeEngine,
  "ort-js": openJsEngine,
  "ort-wasm": openWasmEngine,
  "ort-webgpu": async () => (await openNodeWebGpuEngine()).engine,
};
const webgpu = await openWebGpu();
const names = (Object.keys(engines) as (keyof typeof engines)[]).filter((name) => webgpu || name !== "ort-webgpu");

describe.each(names)("%s", (name) => {
  const open = engines[name];
  const create = async (graph: GraphSpec, options: OrtSessionOptions = {}): Promise<[Engine, Session]> => {
    const engine = await open();
    return [engine, await engine.createSession(onnxModel(graph), { name: "unit", threads: 2, ...options })];
  };

  test("says its name, version and ports", async () => {
    const [engine, session] = await create(matmulAdd);
    expect(engine.name).toBe(name);
    expect(engine.version).toMatch(/^1\.\d+\.\d+/);
    expect(session.inputs).toEqual([
      { name: "a", dtype: "float32", shape: ["rows", 5] },
      { name: "b", dtype: "float32", shape: [5, 4] },
      { name: "bias", dtype: "float32", shape: [4] },
    ]);
    expect(session.outputs.map((p) => p.name)).toEqual(["product", "sum"]);
    session.dispose();
  });

  test("multiplies and adds as the naive loops do, for every length of a dynamic axis", async () => {
    const [, session] = await create(matmulAdd);
    for (const rows of [1, 3, 7]) {
      const [a, b, bias] = [normal([rows, 5], rows), normal([5, 4], 2), normal([4], 3)];
      const { product, sum } = await session.run({ a, b, bias }, { product: "host", sum: "host" });
      expect(one(product).shape).toEqual([rows, 4]);
      const expected = naiveMatmul(a, b);
      floats(product).forEach((x, i) => {
        expect(x).toBeCloseTo(expected[i]!, 5);
      });
      floats(sum).forEach((x, i) => {
        expect(x).toBeCloseTo(expected[i]! + toNumbers(bias)[i % 4]!, 5);
      });
    }
  });

  test("gives the same bits for the same feeds", async () => {
    const [, session] = await create(matmulAdd);
    const feeds = { a: normal([64, 5], 1), b: normal([5, 4], 2), bias: normal([4], 3) };
    const first = await session.run(feeds, { sum: "host" });
    const second = await session.run(feeds, { sum: "host" });
    expect(one(second.sum).data).toEqual(one(first.sum).data);
  });

  test("passes every dtype through, bit for bit, from the host and from buffers", async () => {
    for (const sample of Object.values(samples) as Tensor[]) {
      const [engine, session] = await create(identity(sample.dtype));
      const { y } = await session.run({ x: sample }, { y: "host" });
      expect(y).toEqual(sample);
      const { y: kept } = await session.run({ x: engine.upload(sample) }, { y: "buffer" });
      expect(await (kept as Buffer).read()).toEqual(sample);
      session.dispose();
    }
  });

  test("takes scalars, empty tensors and views into a larger array", async () => {
    const [, session] = await create(identity("float32"));
    const empty = tensor("float32", [0], new Float32Array(0));
    expect((await session.run({ x: empty }, { y: "host" })).y).toEqual(empty);
    const view = tensor("float32", [2], new Float32Array([9, 1, 2, 9]).subarray(1, 3));
    expect(floats((await session.run({ x: view }, { y: "host" })).y)).toEqual([1, 2]);
    const [, step] = await create(update(1));
    const x = fromNumbers([1], [1]);
    const { p_next } = await step.run({ p: x, m: x, g: x, lr: fromNumbers([0.1], []) }, { p_next: "host" });
    expect(floats(p_next)[0]).toBeCloseTo(0.85, 6);
  });

  test("writes into a given tensor and returns it", async () => {
    const [, session] = await create(identity("float32"));
    const target = tensor("float32", [3], new Float32Array(3));
    const { y } = await session.run({ x: samples.float32 }, { y: target });
    expect(y).toBe(target);
    expect(target.data).toEqual(samples.float32.data);
  });

  test("finds the shape of an output that only the engine knows", async () => {
    const [, session] = await create({
      inputs: [port("x", ["n"])],
      outputs: [port("y", ["found", 1], "int64")],
      nodes: [
        { op: "NonZero", inputs: ["x"], outputs: ["columns"] },
        { op: "Transpose", inputs: ["columns"], outputs: ["y"], attributes: { perm: [1, 0] } },
      ],
    });
    const { y } = await session.run({ x: fromNumbers([0, 5, 0, 7], [4]) }, { y: "host" });
    expect(one(y)).toEqual(tensor("int64", [2, 1], BigInt64Array.of(1n, 3n)));
  });

  test("keeps buffers across runs and sessions", async () => {
    const [engine, session] = await create(matmulAdd);
    const [a, b, bias] = [normal([3, 5], 1), normal([5, 4], 2), normal([4], 3)];
    const weights = { b: engine.upload(b), bias: engine.upload(bias) };
    const { sum } = await session.run({ a, b, bias }, { sum: "host" });
    const kept = (await session.run({ a, ...weights }, { sum: "buffer" })).sum as Buffer;
    session.dispose();
    const [, second] = await create(matmulAdd);
    expect((await second.run({ a, ...weights }, { sum: "host" })).sum).toEqual(sum);
    const [, third] = await create(identity("float32"));
    await expect(third.run({ x: kept }, { y: "host" })).rejects.toThrow(ShapeError);
    expect(await kept.read()).toEqual(sum);
    weights.b.write(tensor("float32", [5, 4], new Float32Array(20)));
    const { product } = await second.run({ a, ...weights }, { product: "host" });
    expect(floats(product).every((x) => x === 0)).toBe(true);
  });

  test.each(["in place", "swapped"])("updates state %s as a plain loop does", async (way) => {
    const n = 1000;
    const [engine, session] = await create(update(n));
    const [p, m, g] = [normal([n], 1), normal([n], 2), normal([n], 3)];
    let state = { p: engine.upload(p), m: engine.upload(m) };
    let spare = way === "swapped" ? { p: engine.upload(p), m: engine.upload(m) } : state;
    const [pNaive, mNaive] = [Float32Array.from(toNumbers(p)), Float32Array.from(toNumbers(m))];
    const lr = fromNumbers([0.1], []);
    for (let step = 0; step < 5; step++) {
      const want = { p_next: spare.p, m_next: spare.m };
      expect((await session.run({ ...state, g, lr }, want)).p_next).toBe(spare.p);
      [state, spare] = [spare, state];
      for (let i = 0; i < n; i++) {
        mNaive[i] = Math.fround(0.5 * mNaive[i]!) + (g.data as Float32Array)[i]!;
        pNaive[i] = pNaive[i]! - Math.fround(mNaive[i]! * Math.fround(0.1));
      }
    }
    expect((await state.p.read()).data).toEqual(pNaive);
    expect((await state.m.read()).data).toEqual(mNaive);
  });

  test("runs at the same time on one session without mixing the results", async () => {
    const [, session] = await create(matmulAdd);
    const [b, bias] = [normal([5, 4], 2), normal([4], 3)];
    const inputs = Array.from({ length: 12 }, (_, i) => normal([i + 1, 5], i));
    const results = await Promise.all(inputs.map((a) => session.run({ a, b, bias }, { product: "host" })));
    results.forEach(({ product }, i) => {
      const expected = naiveMatmul(inputs[i]!, b);
      floats(product).forEach((x, j) => {
        expect(x).toBeCloseTo(expected[j]!, 5);
      });
    });
  });

  test("names what is wrong with a feed before anything runs", async () => {
    const [engine, session] = await create(matmulAdd);
    const good = { a: normal([3, 5], 1), b: normal([5, 4], 2), bias: normal([4], 3) };
    const run = (feeds: object, want: object = { sum: "host" }) => session.run(feeds as never, want as never);
    const fails = (
      promise: Promise<unknown>,
      type: typeof NameError | typeof ShapeError | typeof DTypeError,
      text: string,
    ) => {
      const fits = (e: FlavaError): boolean => e instanceof type && e.message.includes(text) && Boolean(e.help);
      return expect(promise).rejects.toSatisfy(fits, `${text}, with a hint`);
    };
    const { bias: _, ...missing } = good;
    await fails(run(missing), NameError, 'unit: expected a feed "bias" of float32 (4), got none');
    await fails(run({ ...good, c: good.a }), NameError, 'expected feeds among a, b, bias, got "c"');
    await fails(run(good, { total: "host" }), NameError, 'expected outputs among product, sum, got "total"');
    await fails(run(good, {}), NameError, "at least one wanted output");
    await fails(run({ ...good, b: good.a }), ShapeError, 'feed "b": expected float32 (5, 4), got float32 (3, 5)');
    await fails(run({ ...good, b: normal([20], 1) }), ShapeError, "got float32 (20)");
    const int = tensor("int32", [3, 5], new Int32Array(15));
    await fails(run({ ...good, a: int }), DTypeError, "expected float32 (rows, 5), got int32 (3, 5)");
    await fails(run({ ...good, a: 3 }), DTypeError, "expected a Tensor or Buffer, got number");
    await fails(run({ ...good, a: { ...good.a, data: new Float32Array(3) } }), ShapeError, "needs 15 elements, got 3");
    await fails(run({ ...good, a: { ...good.a, data: new Uint8Array(15) } }), DTypeError, "expects a Float32Array");
    const target = engine.allocate("float32", [2, 4]);
    await fails(run(good, { sum: target }), ShapeError, 'output "sum": expected float32 (rows, 4), got float32 (2, 4)');
    await fails(run(good, { sum: target }), ShapeError, "rows = 3");
    const both = engine.allocate("float32", [3, 4]);
    await fails(run(good, { sum: both, product: both }), NameError, "memory of its own");
    expect(one((await run(good)).sum).shape).toEqual([3, 4]);
  });

  test("turns damaged models and failing operators into EngineErrors", async () => {
    const engine = await open();
    const bytes = onnxModel(matmulAdd);
    const garbage = Uint8Array.from({ length: 500 }, (_, i) => (i * 37) % 256);
    for (const model of [new Uint8Array(0), garbage, bytes.subarray(0, bytes.length >> 1)])
      await expect(engine.createSession(model)).rejects.toThrow(EngineError);
    await expect(engine.createSession({ path: "no/such/model.onnx" })).rejects.toThrow(EngineError);
    const unknown = { ...identity("float32"), nodes: [{ op: "NoSuchOp", inputs: ["x"], outputs: ["y"] }] };
    await expect(engine.createSession(onnxModel(unknown))).rejects.toThrow(/NoSuchOp/);
    const int8 = {
      ...identity("uint8"),
      inputs: [["x", "int8", ["n"]] as const],
      outputs: [["y", "int8", ["n"]] as const],
    };
    await expect(engine.createSession(onnxModel(int8))).rejects.toThrow(EngineError);
    if (name === "ort-webgpu") return; // a shader checks no index
    const [, gather] = await create({
      inputs: [port("x", [3]), port("i", ["n"], "int64")],
      outputs: [port("y", ["n"])],
      nodes: [{ op: "Gather", inputs: ["x", "i"], outputs: ["y"] }],
    });
    const feeds = { x: samples.float32, i: tensor("int64", [1], BigInt64Array.of(99n)) };
    await expect(gather.run(feeds, { y: "host" })).rejects.toThrow(/^unit: .*indices/);
    await expect(gather.run(feeds, { y: "host" })).rejects.toThrow(EngineError);
  });

  test("refuses sessions and buffers after dispose, and buffers of another engine", async () => {
    const [engine, session] = await create(identity("float32"));
    const other = await engines[name === "ort-js" ? "ort-native" : "ort-js"]();
    const foreign = other.upload(samples.float32);
    await expect(session.run({ x: foreign }, { y: "host" })).rejects.toThrow(/another engine/);
    const buffer = engine.upload(samples.float32);
    buffer.dispose();
    buffer.dispose();
    expect(() => buffer.write(samples.float32)).toThrow(EngineError);
    expect(() => buffer.read()).toThrow(/used after dispose/);
    await expect(session.run({ x: buffer }, { y: "host" })).rejects.toThrow(/used after dispose/);
    session.dispose();
    session.dispose();
    await expect(session.run({ x: samples.float32 }, { y: "host" })).rejects.toThrow(
      /session unit: used after dispose/,
    );
    expect(() => session.endProfiling()).toThrow(EngineError);
  });

  test("lets a run finish that was under way at dispose", async () => {
    const [engine, session] = await create(identity("float32"));
    const x = engine.upload(samples.float32);
    const running = session.run({ x }, { y: "host" });
    x.dispose();
    session.dispose();
    expect((await running).y).toEqual(samples.float32);
  });

  test("keeps two runs from writing one buffer, and the host from changing it", async () => {
    const [engine, session] = await create(identity("float32"));
    const x = engine.upload(samples.float32);
    const y = engine.upload(samples.float32);
    const running = session.run({ x }, { y });
    await expect(session.run({ x: y }, { y: "host" })).rejects.toThrow(/used by another run/);
    await expect(session.run({ x }, { y: x })).rejects.toThrow(/used by another run/);
    expect(() => x.write(samples.float32)).toThrow(/unfinished run/);
    expect(() => y.read()).toThrow(/unfinished run/);
    expect(await x.read()).toEqual(samples.float32);
    await session.run({ x }, { y: "host" });
    await running;
    x.write(samples.float32);
    expect(await y.read()).toEqual(samples.float32);
  });

  test("checks what is written to a buffer", async () => {
    const engine = await open();
    const buffer = engine.allocate("float32", [3]);
    expect(buffer.sizeBytes).toBe(12);
    expect(() => buffer.write(samples.int32)).toThrow(DTypeError);
    expect(() => buffer.write(fromNumbers([1, 2], [2]))).toThrow(ShapeError);
    const short = { ...samples.float32, data: new Float32Array(2) };
    expect(() => buffer.write(short)).toThrow(ShapeError);
    expect(() => engine.upload(short)).toThrow(ShapeError);
    expect(() => engine.upload({ ...samples.float32, data: new Uint8Array(3) } as never)).toThrow(DTypeError);
    const source = samples.float32.data.slice();
    buffer.write(tensor("float32", [3], source));
    source.fill(0);
    expect(await buffer.read()).toEqual(samples.float32);
  });

  test("reads external data from memory", async () => {
    const engine = await open();
    const weight = normal([5, 4], 2);
    const graph: GraphSpec = {
      inputs: [port("a", ["rows", 5])],
      outputs: [port("product", ["rows", 4])],
      nodes: [{ op: "MatMul", inputs: ["a", "b"], outputs: ["product"] }],
      external: { b: { dtype: "float32", shape: [5, 4], file: "weights.bin" } },
    };
    const bytes = new Uint8Array(weight.data.buffer as ArrayBuffer);
    const session = await engine.createSession(onnxModel(graph), { externalData: { "weights.bin": bytes } });
    const a = normal([2, 5], 1);
    const { product } = await session.run({ a }, { product: "host" });
    floats(product).forEach((x, i) => {
      expect(x).toBeCloseTo(naiveMatmul(a, weight)[i]!, 5);
    });
    await expect(engine.createSession(onnxModel(graph))).rejects.toThrow(EngineError);
  });

  test("takes every session option", async () => {
    const options: OrtSessionOptions = {
      threads: 1,
      interOpThreads: 2,
      spin: false,
      optimization: "none",
      arena: "none",
      memoryPattern: true,
      config: { "session.disable_prepacking": "1" },
    };
    const [, session] = await create(identity("float32"), options);
    expect((await session.run({ x: samples.float32 }, { y: "host" })).y).toEqual(samples.float32);
    await expect(create(identity("float32"), { threads: -5 })).rejects.toThrow(
      /threads: expected a whole number from 1, got -5/,
    );
    await expect(create(identity("float32"), { config: { "": "1" } })).rejects.toThrow(EngineError);
  });

  test.each([undefined, true, false])("computes the same with spin %s", async (spin) => {
    const [, session] = await create(matmulAdd, spin === undefined ? {} : { spin });
    const feeds = { a: normal([64, 5], 1), b: normal([5, 4], 2), bias: normal([4], 3) };
    const { product } = await session.run(feeds, { product: "host" });
    const expected = naiveMatmul(feeds.a, feeds.b);
    floats(product).forEach((x, i) => {
      expect(x).toBeCloseTo(expected[i]!, 5);
    });
  });

  test("rejects with the reason of a signal that was aborted before", async () => {
    const [engine, session] = await create(identity("float32"));
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(session.run({ x: samples.float32 }, { y: "host" }, { signal })).rejects.toThrow("enough");
    await expect(engine.createSession(onnxModel(matmulAdd), { signal })).rejects.toThrow("enough");
    const unused = new AbortController();
    const { y } = await session.run({ x: samples.float32 }, { y: "host" }, { signal: unused.signal });
    expect(y).toEqual(samples.float32);
  });

  test("disposes with its scope", async () => {
    const [engine, session] = await create(identity("float32"));
    const buffer = engine.upload(samples.float32);
    buffer[Symbol.dispose]();
    expect(() => buffer.read()).toThrow(EngineError);
    await session[Symbol.asyncDispose]();
    await expect(session.run({ x: samples.float32 }, { y: "host" })).rejects.toThrow(EngineError);
  });
});
