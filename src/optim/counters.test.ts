/** AdamW's bias correction where programs update different parameters, and its digits in float32. */
import { describe, expect, it } from "vitest";
import "../../test/support/matchers.ts";
import { add, graph, input, mul, sum } from "../graph/index.ts";
import { compile, type DeviceName, openDevice, State } from "../runtime/index.ts";
import { fromNumbers, scalar, toNumbers } from "../tensor/index.ts";
import { biasCorrection } from "./adamw.ts";
import { adamw, adamwScalars, counterName, gradients, updateCounters } from "./index.ts";

const LR = 1 / 128; // a number that float32 holds
const DECAY = 0.1;
const kinds = { image: ["shared", "own"], pair: ["shared"] } as const;
type Kind = keyof typeof kinds;
const START: Readonly<Record<string, readonly number[]>> = { shared: [1, -2], own: [0.5, 3] };
/** The loss of each kind is Σ c·p², so that the moments tell the kinds apart. */
const STEEPNESS = { image: 1, pair: 3 };
const ORDER: readonly Kind[] = ["pair", "image", "pair", "pair", "image", "pair", "pair", "pair", "image", "pair"];

const options = { counters: updateCounters(kinds), weightDecay: DECAY };

function stepOf(kind: Kind) {
  const params = Object.fromEntries(kinds[kind].map((name) => [name, input(name, [2])]));
  const squares = Object.values(params).map((p) => sum(mul(p, p)));
  const loss = mul(
    squares.reduce((a, b) => add(a, b)),
    STEEPNESS[kind],
  );
  return adamw(params, gradients(loss, params), options);
}

/** The textbook, with a count for each parameter, as torch keeps it. */
function naive(name: string): number[] {
  const x = [...START[name]!];
  const [m, v] = [[0, 0] as number[], [0, 0] as number[]];
  let t = 0;
  for (const kind of ORDER.filter((k) => (kinds[k] as readonly string[]).includes(name))) {
    t++;
    for (let i = 0; i < 2; i++) {
      const g = 2 * STEEPNESS[kind] * x[i]!;
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.999 * v[i]! + 0.001 * g * g;
      const step = (LR * (m[i]! / (1 - 0.9 ** t))) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8);
      x[i] = x[i]! * (1 - LR * DECAY) - step;
    }
  }
  return x;
}

describe.each([
  ["interpret", 1e-11],
  ["cpu", 2e-6],
  ["cpu-js", 2e-6],
] as const)("adamw with counters, on device %s", (name, rtol) => {
  it("counts the updates of each parameter, whatever the order of the programs", async () => {
    const device = await openDevice(name as DeviceName, { threads: 1 });
    using state = new State(device);
    const steps = { image: stepOf("image"), pair: stepOf("pair") };
    state.writeAll(Object.fromEntries(Object.entries(START).map(([key, x]) => [key, fromNumbers(x, [2])])));
    state.writeAll({ ...steps.image.initial, ...steps.pair.initial });
    const [image, pair] = [
      await compile({ name: "image", outputs: {}, updates: steps.image.updates }, device, { state }),
      await compile({ name: "pair", outputs: {}, updates: steps.pair.updates }, device, { state }),
    ];
    for (const [i, kind] of ORDER.entries()) {
      const scalars = Object.entries(adamwScalars(i + 1, LR, options)).map(([key, x]) => [key, scalar(x)]);
      await { image, pair }[kind].run(Object.fromEntries(scalars));
    }
    for (const parameter of Object.keys(START))
      expect(await state.read(parameter), parameter).toBeAllclose(naive(parameter), { rtol });
    const counts = [counterName("image+pair"), counterName("image")].map(async (key) =>
      toNumbers(await state.read(key)),
    );
    expect(await Promise.all(counts)).toEqual([[10], [3]]);
    for (const step of [image, pair]) step.dispose();
  });
});

describe("biasCorrection", () => {
  const T = 100_000;
  const t = fromNumbers(
    Array.from({ length: T }, (_, i) => i + 1),
    [T],
  );
  it.each(["cpu", "cpu-js"] as const)("keeps its digits for t from 1 to 100,000 on device %s", async (name) => {
    const device = await openDevice(name, { threads: 1 });
    const betas = [0.5, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999];
    const outputs = Object.fromEntries(betas.map((b) => [`${b}`, biasCorrection(input("t", [T]), b)]));
    using run = await compile(graph("corrections", outputs), device);
    const found = await run.run({ t });
    for (const beta of betas) {
      // −expm1 is the second opinion: 1 − βᵗ without cancellation in float64
      const worst = toNumbers(found[`${beta}`]!).reduce((most, c, i) => {
        const exact = -Math.expm1((i + 1) * Math.log(beta));
        return Math.max(most, Math.abs(c / exact - 1));
      }, 0);
      expect(worst, `β = ${beta}`).toBeLessThan(1e-6);
    }
  });
});

describe("updateCounters", () => {
  it("names a counter for each set of programs", () => {
    expect(["shared", "own"].map(options.counters)).toEqual(["image+pair", "image"]);
    expect(() => options.counters("shard")).toThrow(/no program updates "shard".*did you mean "shared"/s);
  });
  it("leaves only the learning rate to feed", () => {
    expect(adamwScalars(3, LR, options)).toEqual({ lr: LR });
    const feeds = Object.keys(graph("step", stepOf("pair").updates).inputs).filter((key) => !key.includes("."));
    expect(feeds.sort()).toEqual(["lr", "shared"]);
  });
});
