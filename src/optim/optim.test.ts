import { describe, expect, it } from "vitest";
import { grad, graph, input, interpret, mul, stopGradient, sum, type Value } from "../graph/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../tensor/index.ts";
import {
  adamw,
  adamwScalars,
  constant,
  cosineRamp,
  dinoSchedule,
  ema,
  emaName,
  exponentialRamp,
  gradients as gradientsOf,
  groupOf,
  layerDecay,
  linearRamp,
  noDecayOnVectors,
  sgd,
  type Update,
  warmupCosine,
  warmupLinear,
} from "./index.ts";

const START = [1, -2, 0.5];
const p = input("p", [3]);
const cube = sum(mul(p, mul(p, p)));

/** Runs some updates of p in the float64 interpreter; returns p after each, and the last gradient norm. */
function descend(update: Update, scalars: (step: number) => Record<string, number>, steps: number) {
  const step = graph("step", { ...update.updates, norm: update.gradNorm });
  const state: Record<string, Tensor> = { ...update.initial, p: fromNumbers(START, [3], "float64") };
  const path: number[][] = [];
  let norm = 0;
  for (let t = 1; t <= steps; t++) {
    const feeds = Object.fromEntries(Object.entries(scalars(t)).map(([k, x]) => [k, fromNumbers([x], [], "float64")]));
    const known = Object.fromEntries(Object.entries({ ...state, ...feeds }).filter(([name]) => name in step.inputs));
    const next = interpret(step, known);
    norm = toNumbers(next.norm!)[0]!;
    for (const name of Object.keys(update.updates)) state[name] = next[name]!;
    path.push(toNumbers(state.p!));
  }
  return { path, norm };
}

/** The same in plain numbers, by the textbook. */
function naiveAdamW(
  steps: number,
  { lr = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, wd = 0.1, limit = Number.POSITIVE_INFINITY },
) {
  const x = [...START];
  const [m, v] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  for (let t = 1; t <= steps; t++) {
    const g = x.map((y) => 3 * y * y);
    const scale = Math.min(1, limit / (Math.hypot(...g) + 1e-6));
    for (let i = 0; i < 3; i++) {
      const gi = g[i]! * scale;
      m[i] = b1 * m[i]! + (1 - b1) * gi;
      v[i] = b2 * v[i]! + (1 - b2) * gi * gi;
      x[i] = x[i]! * (1 - lr * wd) - (lr * (m[i]! / (1 - b1 ** t))) / (Math.sqrt(v[i]! / (1 - b2 ** t)) + eps);
    }
  }
  return x;
}

const gradients = { p: grad(cube, [p])[0]! };
const close = (actual: readonly number[], expected: readonly number[], digits = 11): void => {
  for (const [i, e] of expected.entries()) expect(actual[i]).toBeCloseTo(e, digits);
};

describe("adamw", () => {
  it("gives the reference values after three steps", () => {
    const options = { weightDecay: 0.1 };
    const { path } = descend(adamw({ p }, gradients, options), (t) => adamwScalars(t, 1e-3, options), 3);
    close(path[2]!, [0.996700542522, -2.002399836089, 0.496850724962]);
  });
  it("equals the textbook over thirty steps, with clipping and other betas", () => {
    const options = { betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.01, clip: { globalNorm: 0.5 } } as const;
    const { path, norm } = descend(adamw({ p }, gradients, options), (t) => adamwScalars(t, 2e-3, options), 30);
    close(path[29]!, naiveAdamW(30, { lr: 2e-3, b2: 0.98, eps: 1e-6, wd: 0.01, limit: 0.5 }));
    close([norm], [Math.hypot(...path[28]!.map((x) => 3 * x * x))], 9);
  });
  it("leaves frozen parameters alone and scales the rate of a group", () => {
    const q = input("q", [3]);
    const both = { p: gradients.p, q: gradients.p };
    expect(Object.keys(adamw({ p, q }, both, { groups: [{ match: /^q$/, frozen: true }] }).updates)).not.toContain("q");
    const slow = adamw({ p }, gradients, { groups: [{ match: /p/, lrScale: 0.5 }] });
    close(descend(slow, (t) => adamwScalars(t, 1e-3), 5).path[4]!, naiveAdamW(5, { lr: 5e-4, wd: 0 }));
  });
});

describe("clip", () => {
  it("can clip each parameter by its own norm", () => {
    const update = sgd({ p }, gradients, { clip: { perParameter: 1 } });
    const { path } = descend(update, () => ({ lr: 1 }), 1);
    const norm = Math.hypot(3, 12, 0.75);
    close(
      path[0]!,
      START.map((x) => x - (3 * x * x) / (norm + 1e-6)),
    );
  });
});

describe("sgd", () => {
  it("equals the textbook with momentum and decay", () => {
    const { path } = descend(sgd({ p }, gradients, { momentum: 0.9, weightDecay: 0.01 }), () => ({ lr: 1e-3 }), 10);
    const x = [...START];
    const b = [0, 0, 0];
    for (let t = 0; t < 10; t++)
      for (let i = 0; i < 3; i++) {
        b[i] = 0.9 * b[i]! + 3 * x[i]! ** 2 + 0.01 * x[i]!;
        x[i] = x[i]! - 1e-3 * b[i]!;
      }
    close(path[9]!, x);
  });
});

describe("gradients", () => {
  const [used, unused, cut] = [input("used", [2]), input("unused", [2]), input("cut", [])];
  it("leaves out what the loss does not reach, and keeps gradients that happen to be 0", () => {
    const loss = sum(mul(mul(used, used), stopGradient(cut)));
    const found = gradientsOf(loss, { used, unused, cut });
    expect(Object.keys(found)).toEqual(["used"]);
    const at = interpret(graph("g", found), { used: fromNumbers([0, 0], [2]), cut: fromNumbers([3], []) });
    expect(toNumbers(at.used!)).toEqual([0, 0]);
  });
  it("keeps a gradient that is a constant other than 0", () => {
    expect(Object.keys(gradientsOf(sum(used), { used, unused }))).toEqual(["used"]);
  });
});

describe("ema", () => {
  it("moves the average towards the parameter after the update", () => {
    const next: Record<string, Value> = { p: mul(p, 2) };
    const g = graph("ema", ema(next, 0.75));
    const feeds = { p: fromNumbers([1, 2, 3], [3]), [emaName("p")]: fromNumbers([4, 4, 4], [3]) };
    close(toNumbers(interpret(g, feeds)[emaName("p")]!), [3.5, 4, 4.5]);
  });
});

describe("groups", () => {
  it("take biases and normalisations out of the decay, and nothing else", () => {
    const decay = (name: string) => groupOf(name, [noDecayOnVectors], 0.1).weightDecay;
    for (const name of [
      "a.bias",
      "a.layernorm_before.weight",
      "x.LayerNorm.weight",
      "a.cls_token",
      "flava.logit_scale",
    ])
      expect(decay(name), name).toBe(0);
    for (const name of ["a.dense.weight", "text.word_embeddings.weight"]) expect(decay(name), name).toBe(0.1);
  });
  it("slow down lower layers", () => {
    const rules = layerDecay("m", 2, 0.5);
    const scale = (name: string) => groupOf(name, rules, 0).lrScale;
    expect([
      scale("m.embeddings.x"),
      scale("m.encoder.layer.0.w"),
      scale("m.encoder.layer.1.w"),
      scale("m.pooler.w"),
    ]).toEqual([0.125, 0.25, 0.5, 1]);
  });
});

describe("schedules", () => {
  it("DINO's helper gives the reference values", () => {
    const s = dinoSchedule(1, 0.1, 20, 8);
    const expected = [
      0, 0.14285714, 0.28571429, 0.42857143, 0.57142857, 0.71428571, 0.85714286, 1, 1, 0.98466662, 0.93971143,
      0.86819805, 0.775, 0.66646857, 0.55, 0.43353143, 0.325, 0.23180195, 0.16028857, 0.11533338,
    ];
    close(
      expected.map((_, i) => s(i)),
      expected,
      8,
    );
  });
  it("DINO's momentum gives the reference values", () => {
    const s = dinoSchedule(0.996, 1, 10);
    const expected = [
      0.996, 0.99609789, 0.99638197, 0.99682443, 0.99738197, 0.998, 0.99861803, 0.99917557, 0.99961803, 0.99990211,
    ];
    close(
      expected.map((_, i) => s(i)),
      expected,
      8,
    );
  });
  it("warm up to the peak and fall to the end", () => {
    for (const [make, middle] of [
      [warmupCosine, 0.5],
      [warmupLinear, 0.5],
    ] as const) {
      const s = make(1, 10, 110);
      close([s(1), s(5), s(10), s(60), s(110), s(500)], [0.1, 0.5, 1, middle, 0, 0]);
    }
    close([warmupCosine(1, 0, 4, 0.2)(1)], [0.2 + 0.4 * (1 + Math.SQRT1_2)]);
  });
  it("ramp from start to end and stay there", () => {
    close(
      [cosineRamp(1, 1 / 16, 100)(0), cosineRamp(1, 1 / 16, 100)(50), cosineRamp(1, 1 / 16, 100)(200)],
      [1, 0.53125, 0.0625],
    );
    close([linearRamp(0.04, 0.07, 10)(5), linearRamp(0.04, 0.07, 10)(30)], [0.055, 0.07]);
    close([0, 5, 10, 20].map(exponentialRamp(1, 0.25, 10)), [1, 0.5, 0.25, 0.25]);
    expect(constant(3)(9)).toBe(3);
  });
});
