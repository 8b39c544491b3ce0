import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { add, grad, graph, input, matmul, mul, sub, sum } from "../graph/index.ts";
import { fromNumbers, toNumbers } from "../tensor/index.ts";
import { compile, type Device, type DeviceName, openDevice, State } from "./index.ts";
import { checkNode } from "./node-version.ts";

const x = input("x", [2, 3]);
const w = input("w", [3, 2]);
const X = fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]);
const W = fromNumbers([0.5, -1, 2, 0.25, -0.5, 1], [3, 2]);
const product = [3, 2.5, 9, 3.25]; // x·w by hand: row 1: .5+4−1.5, −1+.5+3; row 2: 2+10−3, −4+1.25+6

/** Devices that need nothing but npm packages. */
const HERE: readonly DeviceName[] = ["cpu", "cpu-js", "wasm", "interpret"];

for (const name of HERE) {
  describe(`device ${name}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(name, { threads: 1 });
    });

    it("runs a graph", async () => {
      using run = await compile(graph("g", { y: matmul(x, w) }), device);
      expect(run.feeds).toEqual(["x", "w"]);
      expect(toNumbers((await run.run({ x: X, w: W })).y!)).toEqual(product);
    });

    it("keeps weights inside the session", async () => {
      using run = await compile(graph("g", { y: matmul(x, w) }), device, { weights: { w: W } });
      expect(run.feeds).toEqual(["x"]);
      expect(toNumbers((await run.run({ x: X })).y!)).toEqual(product);
    });

    it("updates state in place and by swapping, with the same result", async () => {
      // s ← s − Σs/2 may be overwritten; v ← v·v reads v in a product, so that an engine must swap.
      const v = input("v", [2, 2]);
      const s = input("s", [2, 2]);
      using state = new State(device);
      state.write("s", fromNumbers([1, 2, 3, 4], [2, 2]));
      state.write("v", fromNumbers([1, 1, 0, 1], [2, 2]));
      using step = await compile(
        { name: "step", outputs: { total: sum(s) }, updates: { s: sub(s, mul(sum(s), 0.5)), v: matmul(v, v) } },
        device,
        { state },
      );
      expect([...step.inPlace]).toEqual(name === "interpret" ? ["s", "v"] : ["s"]);
      const totals: number[] = [];
      for (let i = 0; i < 3; i++) totals.push(toNumbers((await step.run({})).total!)[0]!);
      expect(totals).toEqual([10, -10, 10]); // 10 → each minus 5 → −10 → each plus 5
      expect(toNumbers(await state.read("s"))).toEqual([-4, -3, -2, -1]);
      expect(toNumbers(await state.read("v"))).toEqual([1, 8, 0, 1]); // [[1,1],[0,1]] to the 8th power
    });

    it("shares one state between two programs, one after the other", async () => {
      using state = new State(device);
      state.write("n", fromNumbers([1], [1]));
      const n = input("n", [1]);
      using twice = await compile({ name: "twice", outputs: {}, updates: { n: mul(n, 2) } }, device, { state });
      using plus = await compile({ name: "plus", outputs: { n }, updates: { n: add(n, 3) } }, device, { state });
      await Promise.all([twice.run({}), plus.run({}), twice.run({}), plus.run({})]);
      expect(toNumbers(await state.read("n"))).toEqual([13]); // ((1·2)+3)·2+3
    });

    it("computes only what is wanted", async () => {
      using run = await compile(graph("g", { a: add(x, 1), b: sum(x) }), device);
      expect(Object.keys(await run.run({ x: X }, { want: ["b"] }))).toEqual(["b"]);
    });

    it("gives the same bits twice", async () => {
      const [g] = grad(sum(mul(matmul(x, w), matmul(x, w))), [w]);
      using run = await compile(graph("g", { g: g! }), device);
      const [first, second] = [await run.run({ x: X, w: W }), await run.run({ x: X, w: W })];
      expect(second.g!.data).toEqual(first.g!.data);
    });

    it("names what is missing, unknown, mis-shaped or of another dtype, and says what to try", async () => {
      using run = await compile(graph("forward", { y: matmul(x, w) }), device);
      const whole = fromNumbers([1, 2, 3, 4, 5, 6], [2, 3], "int32");
      const mistakes: [unknown, RegExp][] = [
        [run.run({ x: X }), /forward.*"?w"?.*help: /s],
        [run.run({ x: X, w: W, ww: W }), /ww.*help: did you mean "w"/s],
        [run.run({ x: W, w: W }), /x.*\(2, 3\).*\(3, 2\).*help: .*transpose/s],
        [run.run({ x: whole, w: W }), /float32.*int32.*help: fromNumbers/s],
        [run.run({ x: X, w: W }, { want: ["z"] }), /z.*help: /s],
      ];
      for (const [promise, message] of mistakes) await expect(promise).rejects.toThrow(message);
    });

    it("refuses updates without state, and feeds that are state", async () => {
      await expect(compile({ name: "p", outputs: {}, updates: { w: add(w, 1) } }, device)).rejects.toThrow(
        /updates "w"/,
      );
      using state = new State(device);
      state.write("w", W);
      using run = await compile(graph("g", { y: matmul(x, w) }), device, { state });
      await expect(run.run({ x: X, w: W })).rejects.toThrow(/is state/);
      expect(() => state.write("w", X)).toThrow(/expected \(3, 2\), got \(2, 3\)/);
      await expect(state.read("W")).rejects.toThrow(/did you mean "w"/);
    });

    it("stops before the run when the signal is already aborted", async () => {
      using run = await compile(graph("g", { y: add(x, 1) }), device);
      await expect(run.run({ x: X }, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    });
  });
}

describe("openDevice", () => {
  it("names the devices that exist", async () => {
    await expect(openDevice("tpu" as never)).rejects.toThrow(/cpu, openvino, cpu-js, wasm, webgpu, interpret/);
  });
  it("says what to try when the library is not there", async () => {
    await expect(openDevice("cpu", { library: "nowhere/libonnxruntime.so" })).rejects.toThrow(/help:/);
  });
});

describe("checkNode", () => {
  it("refuses a Node below what package.json says, in one sentence", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(engines.node).toBe(">=20.19");
    for (const version of ["18.20.8", "20.18.3", "4.0.0"])
      expect(() => checkNode(version)).toThrow(new RegExp(`expected Node 20\\.19 or later, got ${version}\n`));
    for (const version of ["20.19.0", "22.0.0", "24.1.0", undefined]) expect(() => checkNode(version)).not.toThrow();
  });
});
