import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALONE, openWebGpu } from "../../../../test/support/webgpu-device.ts";
import { EngineError } from "../../../errors.ts";
import { add, argmax, conv2d, graph, input, logSoftmax, matmul, mul, sub, sum } from "../../../graph/index.ts";
import { interpret } from "../../../graph/interpret/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../../tensor/index.ts";
import { compile, openDevice, State } from "../../index.ts";
import { summarizeProfile } from "../profile.ts";
import { nameOf } from "./adapters.ts";

const webgpu = await openWebGpu(ALONE);
const LIGHT = "node_modules/sherpa-onnx-linux-x64/libonnxruntime.so";

describe("nameOf", () => {
  it("names the best GPU, and all where several are as good", () => {
    expect(
      nameOf([
        { name: "B", kind: 2 },
        { name: "C", kind: 1 },
      ]),
    ).toBe("B");
    expect(
      nameOf([
        { name: "B", kind: 2 },
        { name: "A", kind: 2 },
      ]),
    ).toBe("B or A");
    expect(nameOf(undefined)).toBe("the GPU of this machine");
  });
});

describe.skipIf(!existsSync(LIGHT))("a library without WebGPU", () => {
  it("is refused with the name of one that has it", async () => {
    const opened = openDevice("webgpu", { library: LIGHT });
    await expect(opened).rejects.toThrow(
      /library of ONNX Runtime with WebGPU, got 1\.[\d.]+ with CPU.*onnxruntime-node/s,
    );
    await expect(opened).rejects.toThrow(EngineError);
  });
});

describe.skipIf(!webgpu)("the device webgpu in Node", () => {
  const wave = (n: number, shape: number[], from = 0): Tensor =>
    fromNumbers(
      Array.from({ length: n }, (_, i) => Math.sin(i + 1 + from)),
      shape,
    );

  it("says what it is, on which GPU, and that it is experimental", () => {
    expect(webgpu!.description).toMatch(/^ONNX Runtime 1\.\d+\.\d+ with WebGPU on SwiftShader/);
    expect(webgpu!.remark).toMatch(/experimental.*GPU of software/);
  });

  it("overwrites state where it lies, step after step, as the interpreter computes it", async () => {
    const [w, m, x] = [input("w", [6, 4]), input("m", [6, 4]), input("x", [5, 6])];
    const y = matmul(x, w);
    const next = add(mul(m, 0.9), matmul(x, mul(y, 0.01), { transposeA: true }));
    const updates = { w: sub(w, next), m: next };
    using state = new State(webgpu!);
    let plain: Record<string, Tensor> = { w: wave(24, [6, 4]), m: wave(24, [6, 4], 5) };
    state.writeAll(plain);
    using step = await compile({ name: "step", outputs: { y: sum(mul(y, y)) }, updates }, webgpu!, { state });
    expect([...step.inPlace].sort()).toEqual(["m", "w"]);
    for (let i = 0; i < 4; i++) {
      const feeds = { x: wave(30, [5, 6], i) };
      const { y: found } = await step.run(feeds);
      const exact = interpret(graph("step", { y: sum(mul(y, y)), ...updates }), { ...plain, ...feeds });
      plain = { w: exact.w!, m: exact.m! };
      expect(toNumbers(found!)[0]).toBeCloseTo(toNumbers(exact.y!)[0]!, 4);
    }
    for (const [name, t] of Object.entries(plain))
      expect(toNumbers(await state.read(name))).toBeAllclose(toNumbers(t), { atol: 1e-5 });
  });

  it("leaves nothing to the processor: batched products with a factor, logarithms of softmax, places of the largest", async () => {
    const [x, z] = [input("x", [2, 3, 5]), input("z", [2, 4, 5])];
    const outputs = {
      product: mul(matmul(x, z, { transposeB: true }), 0.5),
      logits: logSoftmax(x, 2),
      first: argmax(input("ties", [3, 4]), 1),
    };
    const feeds = {
      x: wave(30, [2, 3, 5]),
      z: wave(40, [2, 4, 5]),
      ties: fromNumbers([1, 3, 3, 0, 2, 2, 2, 2, -1, -2, -3, -1], [3, 4]),
    };
    const profile = join(tmpdir(), `flava-webgpu-${process.pid}`);
    using executable = await compile(graph("g", outputs), webgpu!, { profile });
    const found = await executable.run(feeds);
    const exact = interpret(graph("g", outputs), feeds);
    for (const name of ["product", "logits"])
      expect(toNumbers(found[name]!)).toBeAllclose(toNumbers(exact[name]!), { atol: 1e-6 });
    expect(toNumbers(found.first!)).toEqual([1, 0, 0]);
    const { byProvider } = summarizeProfile(readFileSync(executable.endProfiling(), "utf8"));
    expect(Object.keys(byProvider)).toEqual(["WebGpuExecutionProvider"]);
  });

  it("convolves six channels to four", async () => {
    const y = conv2d(input("picture", [1, 6, 4, 4]), input("weight", [4, 6, 3, 3]), { padding: 1 });
    const feeds = { picture: wave(96, [1, 6, 4, 4]), weight: wave(216, [4, 6, 3, 3]) };
    using executable = await compile(graph("g", { y }), webgpu!);
    const exact = interpret(graph("g", { y }), feeds).y!;
    expect(toNumbers((await executable.run(feeds)).y!)).toBeAllclose(toNumbers(exact), { atol: 1e-5 });
  });

  it("keeps what a shader does not take in memory of the process", async () => {
    for (const t of [
      fromNumbers([-5, 2 ** 40], [2], "int64"),
      fromNumbers([1, 0, 1], [3], "bool"),
      fromNumbers([], [0, 3]),
      fromNumbers([-1, 2 ** 31 - 1], [2], "int32"),
    ]) {
      using buffer = webgpu!.upload(t);
      expect(await buffer.read()).toEqual(t);
    }
  });
});
