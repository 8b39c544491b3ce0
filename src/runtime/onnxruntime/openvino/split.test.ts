import { describe, expect, it } from "vitest";
import { EngineError } from "../../../errors.ts";
import { graph, input, interpret, matmul, mul, type Program, relu, sub, sum } from "../../../graph/index.ts";
import { adamw, adamwScalars, gradients } from "../../../optim/index.ts";
import { fromNumbers, scalar, type Tensor, toNumbers } from "../../../tensor/index.ts";
import { compile, type Device, openDevice, State } from "../../index.ts";
import { openNativeEngine } from "../native.ts";
import { ortDevice } from "../ort-device.ts";
import { findOpenVino, hasBfloat16, prepareSplit } from "./device.ts";
import { splitStep } from "./split.ts";

const params = { w: input("w", [3, 4]), v: input("v", [4, 2]) };
const loss = ((): ReturnType<typeof sum> => {
  const y = matmul(relu(matmul(input("x", [5, 3]), params.w)), params.v);
  return sum(mul(y, y));
})();
const update = adamw(params, gradients(loss, params), { weightDecay: 0.1, clip: { globalNorm: 1 } });
const program: Program = { name: "step", outputs: { loss, norm: update.gradNorm }, updates: update.updates };
const wave = (n: number, shape: number[]): Tensor =>
  fromNumbers(
    Array.from({ length: n }, (_, i) => Math.sin(i + 1)),
    shape,
  );
const first = { w: wave(12, [3, 4]), v: wave(8, [4, 2]), ...update.initial };

/** Losses and norms of some steps, and the parameters after them. */
async function train(device: Device, steps = 3): Promise<{ numbers: number[]; inPlace: number }> {
  using state = new State(device);
  state.writeAll(first);
  using step = await compile(program, device, { state, purpose: "training" });
  const numbers: number[] = [];
  for (let i = 1; i <= steps; i++) {
    const rates = Object.entries(adamwScalars(i, 1e-2)).map(([name, rate]) => [name, scalar(rate)]);
    const feeds: Record<string, Tensor> = { x: wave(15, [5, 3]), ...Object.fromEntries(rates) };
    const found = await step.run(Object.fromEntries(step.feeds.map((name) => [name, feeds[name]!])));
    numbers.push(...toNumbers(found.loss!), ...toNumbers(found.norm!));
  }
  for (const name of ["w", "v"]) numbers.push(...toNumbers(await state.read(name)));
  return { numbers, inPlace: step.inPlace.size };
}

describe("splitStep", () => {
  const all = Object.fromEntries([
    ...Object.entries(program.outputs),
    ...Object.entries(program.updates).map(([name, value]) => [`next ${name}`, value] as const),
  ]);
  const g = graph("step", all);
  const { front, back, between } = splitStep(g, Object.keys(program.updates));

  it("leaves every product in the first graph, and the moments to the second", () => {
    expect(back!.nodes.some(({ op }) => op === "matmul")).toBe(false);
    expect(front.nodes.filter(({ op }) => op === "matmul")).toHaveLength(
      g.nodes.filter(({ op }) => op === "matmul").length,
    );
    const moments = Object.keys(update.initial);
    expect(moments.filter((name) => Object.hasOwn(front.inputs, name))).toEqual([]);
    expect(Object.keys(front.outputs).sort()).toEqual([...between, "loss", "norm"].sort());
  });

  it("gives the numbers of the whole", () => {
    const rates = Object.fromEntries(Object.entries(adamwScalars(1, 1e-2)).map(([name, v]) => [name, scalar(v)]));
    const feeds: Record<string, Tensor> = { x: wave(15, [5, 3]), ...first, ...rates };
    const run = (of: typeof g, given: Record<string, Tensor>): Record<string, Tensor> =>
      interpret(of, Object.fromEntries(Object.keys(of.inputs).map((name) => [name, given[name]!])));
    const middle = run(front, feeds);
    const last = run(back!, { ...feeds, ...middle });
    const whole = run(g, feeds);
    for (const [name, t] of Object.entries(whole)) expect({ ...middle, ...last }[name], name).toEqual(t);
  });

  it("leaves a graph whole that has no state of an optimizer", () => {
    const plain = graph("plain", { next: sub(params.w, matmul(input("a", [3, 3]), params.w)) });
    expect(splitStep(plain, ["w"])).toEqual({ front: plain, back: undefined, between: [] });
  });
});

describe("prepareSplit", () => {
  it("trains as one session does, with the state of the optimizer and the parameters overwritten in place", async () => {
    const cpu = await openDevice("cpu", { threads: 1 });
    const never = ortDevice("cpu", await openNativeEngine(), { threads: 1, inPlace: false });
    const split: Device = { ...cpu, prepare: (task, options = {}) => prepareSplit(never, cpu, task, options) };
    const [mine, whole] = [await train(split), await train(cpu)];
    for (const [i, x] of mine.numbers.entries()) expect(x).toBeCloseTo(whole.numbers[i]!, 5);
    expect(mine.inPlace).toBe(Object.keys(program.updates).length);
  });
});

describe("the device openvino", () => {
  it("knows processors that multiply bfloat16 by their flags", () => {
    expect(hasBfloat16("flags : fpu avx512_bf16 avx")).toBe(true);
    expect(hasBfloat16("flags : fpu amx_bf16")).toBe(true);
    expect(hasBfloat16("flags : fpu avx2")).toBe(false);
  });

  it("refuses a library that is none with a typed error", async () => {
    expect(await findOpenVino("/nowhere.so")).toBe("/nowhere.so");
    await expect(openDevice("openvino", { provider: "/nowhere.so" })).rejects.toThrow(EngineError);
  });
});
