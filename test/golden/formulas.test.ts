/** The small formulas against another implementation's numbers: DINO, schedules, logit-Laplace, KL, position interpolation, AdamW. */
import { describe, expect, it } from "vitest";
import { input, reshape } from "../../src/graph/index.ts";
import { type Interpolation, interpolatePositions, resizeGrid } from "../../src/nn/index.ts";
import { dinoCenter, dinoLoss, klToUniform, logitLaplace } from "../../src/objectives/index.ts";
import { adamw, adamwScalars, dinoSchedule, gradients } from "../../src/optim/index.ts";
import { mul, sum } from "../../src/graph/index.ts";
import { fromNumbers, type Tensor } from "../../src/tensor/index.ts";
import "../matchers.ts";
import { golden } from "./numbers.ts";
import { evaluate, norm, total } from "./run.ts";

const TEN = { rtol: 1e-9, atol: 6e-11 };
const EIGHT = { atol: 6e-9 };

describe("DINO", () => {
  const [student, teacher, center] = [
    input("dino.student", [8, 5]),
    input("dino.teacher", [4, 5]),
    input("dino.center", [1, 5]),
  ];
  const feeds = {
    "dino.student": golden("dino.student", [8, 5], -3, 3),
    "dino.teacher": golden("dino.teacher", [4, 5], -3, 3),
    "dino.center": golden("dino.center", [1, 5], -0.5, 0.5),
  };
  const { loss } = dinoLoss({ student, teacher, center, crops: 4, teacherTemperature: 0.04 });
  it("has the reference's loss and gradient", () => {
    const g = gradients(loss, { student, teacher, center });
    expect(Object.keys(g)).toEqual(["student"]);
    const found = evaluate({ loss, student: g.student! }, feeds);
    expect(found.loss!.data).toBeAllclose([16.1127239655], TEN);
    expect([norm(found.student!)]).toBeAllclose([3.098951918], TEN);
  });
  it("moves the centre as the reference does", () => {
    const found = evaluate({ next: dinoCenter(center, teacher) }, feeds);
    expect(found.next!.data).toBeAllclose(
      [0.3642302126, -0.1012437214, -0.2013240293, -0.125713418, -0.2230416257],
      TEN,
    );
  });
});

describe("schedules", () => {
  it("give the reference's values with warm-up and cosine", () => {
    const s = dinoSchedule(1, 0.1, 20, 8);
    expect(Array.from({ length: 20 }, (_, i) => s(i))).toBeAllclose(
      [
        0, 0.14285714, 0.28571429, 0.42857143, 0.57142857, 0.71428571, 0.85714286, 1, 1, 0.98466662, 0.93971143,
        0.86819805, 0.775, 0.66646857, 0.55, 0.43353143, 0.325, 0.23180195, 0.16028857, 0.11533338,
      ],
      EIGHT,
    );
  });
  it("give the reference's momentum", () => {
    const s = dinoSchedule(0.996, 1, 10);
    expect(Array.from({ length: 10 }, (_, i) => s(i))).toBeAllclose(
      [0.996, 0.99609789, 0.99638197, 0.99682443, 0.99738197, 0.998, 0.99861803, 0.99917557, 0.99961803, 0.99990211],
      EIGHT,
    );
  });
});

describe("the dVAE's terms", () => {
  it("log densities of pixels are the reference's", () => {
    const density = logitLaplace(input("ll.x", [6]), input("ll.mu", [6]), input("ll.lnb", [6]));
    const feeds = {
      "ll.x": golden("ll.x", [6], 0.1, 0.9),
      "ll.mu": golden("ll.mu", [6], -1, 1),
      "ll.lnb": golden("ll.lnb", [6], -1, 0.5),
    };
    expect(evaluate({ density }, feeds).density!.data).toBeAllclose(
      [0.4335120641, 1.0198699516, 0.3894460101, 0.3648829439, -0.4691652892, -0.5827593653],
      TEN,
    );
  });
  it("divergences from the uniform prior are the reference's, over any axis", () => {
    const feeds = { "kl.logits": golden("kl.logits", [3, 8], -2, 2) };
    const logits = input("kl.logits", [3, 8]);
    const moved = klToUniform(reshape(logits, [3, 8, 1]), 1);
    const found = evaluate({ kl: klToUniform(logits), moved: reshape(moved, [3]) }, feeds);
    for (const t of Object.values(found)) expect(t.data).toBeAllclose([0.4554308735, 0.5612420219, 0.6521701998], TEN);
  });
});

describe("position interpolation", () => {
  const grid = { pos4: golden("pos4", [4, 4], -1, 1) };
  const cases: readonly [Interpolation, number, readonly number[]][] = [
    ["size", -2.85550145, [0.90234488, -0.13271398, -0.67985204, 0.47174225, 0.94807787, 0.90708254]],
    ["dino", -3.04383414, [0.90584815, -0.09982703, -0.70308848, 0.40475069, 0.95305289, 0.90427698]],
  ];
  for (const [kind, sum, first] of cases)
    it(`"${kind}" from 4 × 4 to 6 × 6 is the reference's`, () => {
      const resized = resizeGrid(reshape(input("pos4", [4, 4]), [4, 4, 1]), 6, 6, kind);
      const found = evaluate({ resized }, grid).resized!;
      expect([total(found)]).toBeAllclose([sum], EIGHT);
      expect(found.data.slice(0, 6)).toBeAllclose(first, EIGHT);
    });
  it("keeps the CLS row, and the same grid as it is", () => {
    const positions = input("p", [1, 17, 3]);
    expect(interpolatePositions(positions, 4, 4)).toBe(positions);
    const feeds: Record<string, Tensor> = { p: golden("p", [1, 17, 3], -1, 1) };
    const found = evaluate({ wide: interpolatePositions(positions, 2, 5) }, feeds).wide!;
    expect(found.shape).toEqual([1, 11, 3]);
    expect(found.data.slice(0, 3)).toEqual((feeds.p!.data as Float64Array).slice(0, 3));
  });
});

describe("AdamW", () => {
  it("gives the reference's parameters after three steps", () => {
    const p = input("p", [3]);
    const update = adamw({ p }, gradients(sum(mul(p, mul(p, p))), { p }), { weightDecay: 0.1 });
    let state: Record<string, Tensor> = { ...update.initial, p: fromNumbers([1, -2, 0.5], [3], "float64") };
    for (let step = 1; step <= 3; step++) {
      const scalars = Object.entries(adamwScalars(step, 1e-3)).map(([k, x]) => [k, fromNumbers([x], [], "float64")]);
      state = { ...state, ...evaluate(update.updates, { ...state, ...Object.fromEntries(scalars) }) };
    }
    expect(state.p!.data as Float64Array).toBeAllclose([0.996700542522, -2.002399836089, 0.496850724962], {
      atol: 6e-13,
    });
  });
});
