/**
 * The small formulas against another implementation's numbers: DINO, schedules, logit-Laplace, KL, position interpolation,
 * AdamW. In the float64 interpreter to the digits that were printed, on the engines in float32 to 1e-4.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { input, mul, reshape, sum, type Value } from "../../src/graph/index.ts";
import { type Interpolation, interpolatePositions, resizeGrid } from "../../src/nn/index.ts";
import { dinoCenter, dinoLoss, klToUniform, logitLaplace } from "../../src/objectives/index.ts";
import { adamw, adamwScalars, dinoSchedule, gradients } from "../../src/optim/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { fromNumbers, type Tensor } from "../../src/tensor/index.ts";
import "../support/matchers.ts";
import { golden } from "./numbers.ts";
import { evaluateOn, norm, total } from "./run.ts";

describe("schedules", () => {
  it("give the reference's values with warm-up and cosine", () => {
    const s = dinoSchedule(1, 0.1, 20, 8);
    expect(Array.from({ length: 20 }, (_, i) => s(i))).toBeAllclose(
      [
        0, 0.14285714, 0.28571429, 0.42857143, 0.57142857, 0.71428571, 0.85714286, 1, 1, 0.98466662, 0.93971143,
        0.86819805, 0.775, 0.66646857, 0.55, 0.43353143, 0.325, 0.23180195, 0.16028857, 0.11533338,
      ],
      { atol: 6e-9 },
    );
  });
  it("give the reference's momentum", () => {
    const s = dinoSchedule(0.996, 1, 10);
    expect(Array.from({ length: 10 }, (_, i) => s(i))).toBeAllclose(
      [0.996, 0.99609789, 0.99638197, 0.99682443, 0.99738197, 0.998, 0.99861803, 0.99917557, 0.99961803, 0.99990211],
      { atol: 6e-9 },
    );
  });
});

const FLOAT32 = { rtol: 1e-4, atol: 1e-6 };

describe.each([
  ["interpret", { eight: { atol: 6e-9 }, ten: { rtol: 1e-9, atol: 6e-11 }, twelve: { atol: 6e-13 } }],
  ["cpu", { eight: FLOAT32, ten: FLOAT32, twelve: FLOAT32 }],
  ["cpu-js", { eight: FLOAT32, ten: FLOAT32, twelve: FLOAT32 }],
] as const)("on device %s", (name, { eight, ten, twelve }) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(name, { threads: 1 });
  });
  const evaluate = (outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Tensor>>) =>
    evaluateOn(device, outputs, feeds);

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
    it("has the reference's loss and gradient", async () => {
      const g = gradients(loss, { student, teacher, center });
      expect(Object.keys(g)).toEqual(["student"]);
      const found = await evaluate({ loss, student: g.student! }, feeds);
      expect(found.loss!.data).toBeAllclose([16.1127239655], ten);
      expect([norm(found.student!)]).toBeAllclose([3.098951918], ten);
    });
    it("moves the centre as the reference does", async () => {
      const found = await evaluate({ next: dinoCenter(center, teacher) }, feeds);
      expect(found.next!.data).toBeAllclose(
        [0.3642302126, -0.1012437214, -0.2013240293, -0.125713418, -0.2230416257],
        ten,
      );
    });
  });

  describe("the dVAE's terms", () => {
    it("log densities of pixels are the reference's", async () => {
      const density = logitLaplace(input("ll.x", [6]), input("ll.mu", [6]), input("ll.lnb", [6]));
      const feeds = {
        "ll.x": golden("ll.x", [6], 0.1, 0.9),
        "ll.mu": golden("ll.mu", [6], -1, 1),
        "ll.lnb": golden("ll.lnb", [6], -1, 0.5),
      };
      expect((await evaluate({ density }, feeds)).density!.data).toBeAllclose(
        [0.4335120641, 1.0198699516, 0.3894460101, 0.3648829439, -0.4691652892, -0.5827593653],
        ten,
      );
    });
    it("divergences from the uniform prior are the reference's, over any axis", async () => {
      const feeds = { "kl.logits": golden("kl.logits", [3, 8], -2, 2) };
      const logits = input("kl.logits", [3, 8]);
      const moved = klToUniform(reshape(logits, [3, 8, 1]), 1);
      const found = await evaluate({ kl: klToUniform(logits), moved: reshape(moved, [3]) }, feeds);
      for (const t of Object.values(found))
        expect(t.data).toBeAllclose([0.4554308735, 0.5612420219, 0.6521701998], ten);
    });
  });

  describe("position interpolation", () => {
    const grid = { pos4: golden("pos4", [4, 4], -1, 1) };
    const cases: readonly [Interpolation, number, readonly number[]][] = [
      ["size", -2.85550145, [0.90234488, -0.13271398, -0.67985204, 0.47174225, 0.94807787, 0.90708254]],
      ["dino", -3.04383414, [0.90584815, -0.09982703, -0.70308848, 0.40475069, 0.95305289, 0.90427698]],
    ];
    for (const [kind, sum, first] of cases)
      it(`"${kind}" from 4 × 4 to 6 × 6 is the reference's`, async () => {
        const resized = resizeGrid(reshape(input("pos4", [4, 4]), [4, 4, 1]), 6, 6, kind);
        const found = (await evaluate({ resized }, grid)).resized!;
        expect([total(found)]).toBeAllclose([sum], eight);
        expect(found.data.slice(0, 6)).toBeAllclose(first, eight);
      });
    it("keeps the CLS row, and the same grid as it is", async () => {
      const positions = input("p", [1, 17, 3]);
      expect(interpolatePositions(positions, 4, 4)).toBe(positions);
      const feeds: Record<string, Tensor> = { p: golden("p", [1, 17, 3], -1, 1) };
      const found = (await evaluate({ wide: interpolatePositions(positions, 2, 5) }, feeds)).wide!;
      expect(found.shape).toEqual([1, 11, 3]);
      expect(found.data.slice(0, 3)).toBeAllclose((feeds.p!.data as Float64Array).slice(0, 3), twelve);
    });
  });

  describe("AdamW", () => {
    it("gives the reference's parameters after three steps", async () => {
      const p = input("p", [3]);
      const update = adamw({ p }, gradients(sum(mul(p, mul(p, p))), { p }), { weightDecay: 0.1 });
      let state: Record<string, Tensor> = { ...update.initial, p: fromNumbers([1, -2, 0.5], [3], "float64") };
      for (let step = 1; step <= 3; step++) {
        const scalars = Object.entries(adamwScalars(step, 1e-3)).map(([k, x]) => [k, fromNumbers([x], [], "float64")]);
        state = { ...state, ...(await evaluate(update.updates, { ...state, ...Object.fromEntries(scalars) })) };
      }
      expect(state.p!.data as Float64Array).toBeAllclose([0.996700542522, -2.002399836089, 0.496850724962], twelve);
    });
  });
});
