import { beforeAll, describe, expect, it } from "vitest";
import { type Device, openDevice } from "../../runtime/index.ts";
import { random } from "../../tensor/index.ts";
import type { Features } from "./features.ts";
import { linearEvaluation } from "./linear-evaluation.ts";
import { sweepC } from "./sweep.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice("cpu");
});

/** Rows around a centre for each class, with noise. */
function clouds(classes: readonly string[], each: number, seed: number, noise = 0.6): Features {
  const rng = random(seed, "clouds");
  const labels = classes.flatMap((name) => Array<string>(each).fill(name));
  const x = Float32Array.from({ length: labels.length * 4 }, (_, i) => {
    const label = labels[Math.floor(i / 4)]!;
    return Number(label.charCodeAt(0) % 4 === i % 4) + noise * rng.normal();
  });
  return { width: 4, x, labels, refused: [] };
}

describe("sweepC", () => {
  const data = ({ x, labels, width }: Features) => ({
    x,
    width,
    labels: labels.map((l) => "abcd".indexOf(l)),
    classes: 4,
  });

  it("tries seven values first, then closes in on the best, and never leaves 1e-6 to 1e6", async () => {
    const tried: number[] = [];
    const { C } = await sweepC(device, {
      train: data(clouds([..."abcd"], 30, 1)),
      validation: data(clouds([..."abcd"], 30, 2)),
      onTried: (one) => tried.push(Math.log10(one.C)),
    });
    expect(tried.slice(0, 7).map(Math.round)).toEqual([-6, -4, -2, 0, 2, 4, 6]);
    expect(tried.length).toBeLessThanOrEqual(7 + 8);
    expect(Math.min(...tried.map((c) => Math.abs(c)))).toBeLessThan(6.01);
    expect(tried).toContain(Math.log10(C));
    expect(Number.isInteger(Math.round(Math.log10(C) * 8 * 1e9) / 1e9)).toBe(true);
  });

  it("prefers the stronger regularisation where accuracies are equal", async () => {
    const easy = data(clouds([..."ab"], 10, 3, 0.01));
    const { C, tried } = await sweepC(device, { train: easy, validation: easy });
    const perfect = tried.filter(({ accuracy }) => accuracy === 1).map((one) => one.C);
    expect(C).toBe(Math.min(...perfect));
  });
});

describe("linearEvaluation", () => {
  it("learns what can be learned, and reports what a guess of the commonest class scores", async () => {
    const [train, test] = [clouds([..."abc"], 60, 4), clouds([..."abcc"], 50, 5)];
    const { metrics, intervals, samples, classes } = await linearEvaluation(device, { train, test });
    expect(classes).toEqual(["a", "b", "c"]);
    expect(samples).toEqual({ train: 144, validation: 36, test: 200 });
    expect(metrics.lp_acc1).toBeGreaterThan(0.75);
    expect(metrics.majority).toBe(0.25);
    expect(metrics.lp_acc5).toBe(1);
    for (const name of ["lp_acc1", "lp_mean_per_class_recall"] as const) {
      expect(intervals[name].low).toBeLessThan(metrics[name]);
      expect(intervals[name].high).toBeGreaterThan(metrics[name]);
    }
  });

  it("counts test samples of a class that no training sample has as wrong, and names it", async () => {
    const [train, test] = [clouds([..."ab"], 20, 6, 0.05), clouds([..."abd"], 10, 7, 0.05)];
    const { metrics, unseen } = await linearEvaluation(device, { train, test });
    expect(unseen).toEqual(["d"]);
    expect(metrics.lp_acc1).toBeCloseTo(2 / 3, 12);
    expect(metrics.lp_mean_per_class_recall).toBeCloseTo(2 / 3, 12);
  });

  it("orders classes that are numbers as numbers, and refuses training samples that cannot be split", async () => {
    const digits = { ...clouds([..."ab"], 5, 8), labels: ["10", "9", "10", "9", "10", "9", "10", "9", "10", "9"] };
    const found = await linearEvaluation(device, { train: digits, test: digits });
    expect(found.classes).toEqual(["9", "10"]);
    const single = { ...clouds([..."ab"], 1, 9) };
    await expect(linearEvaluation(device, { train: single, test: single })).rejects.toThrow(/two samples or more/);
  });
});
