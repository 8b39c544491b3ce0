import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Device, openDevice } from "../../runtime/index.ts";
import { fitLogistic, logits } from "./logistic.ts";

interface Golden {
  readonly name: string;
  readonly C: number;
  readonly classes: number;
  readonly width: number;
  readonly x: number[];
  readonly y: number[];
  readonly loss: number;
  readonly coef: number[];
  readonly intercept: number[];
}

const golden: Golden[] = JSON.parse(
  readFileSync(new URL("../../../test/golden/logistic.json", import.meta.url), "utf8"),
);

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe("fitLogistic", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice("cpu");
  });

  it.each(golden)("finds scikit-learn's optimum: $name", async ({ C, classes, width, x, y, loss, coef, intercept }) => {
    const found = await fitLogistic(device, { x, width, labels: y, classes }, { C });
    expect(found.converged).toBe(true);
    expect(Math.abs(found.loss - loss)).toBeLessThan(1e-8 * Math.max(1, loss));
    expect(furthest(found.coef, coef)).toBeLessThan(1e-4 * Math.max(1, ...coef.map(Math.abs)));
    expect(furthest(found.intercept, intercept)).toBeLessThan(1e-4 * Math.max(1, ...intercept.map(Math.abs)));
  });

  it("gives classes without samples no weight, never predicts them, and names them", async () => {
    const { x, y, width, C, coef } = golden[0]!;
    const labels = y.map((label) => [0, 2, 4][label]!);
    const found = await fitLogistic(device, { x, width, labels, classes: 5 }, { C });
    expect(found.missing).toEqual([1, 3]);
    expect(found.coef[1]).toBe(0);
    expect(found.coef[2]).toBeCloseTo(coef[1]!, 6);
    const scores = logits(found, x);
    expect(scores).toHaveLength(60 * 5);
    for (let n = 0; n < 60; n++) expect(scores[n * 5 + 3]).toBe(Number.NEGATIVE_INFINITY);
  });

  it("finds the same optimum in blocks of rows, and from any start", async () => {
    const { x, y, width, C, classes, loss } = golden[0]!;
    const many = { x: Array(300).fill(x).flat(), labels: Array(300).fill(y).flat(), width, classes };
    const found = await fitLogistic(device, many, { C: C / 300 });
    expect(found.loss).toBeCloseTo(loss, 7);
    const again = await fitLogistic(device, many, { C: C / 300, start: found });
    expect(again.iterations).toBeLessThan(found.iterations);
    expect(again.loss).toBeCloseTo(loss, 7);
  });

  it("says when the iterations did not suffice", async () => {
    const { x, y, width, C, classes } = golden[0]!;
    expect((await fitLogistic(device, { x, labels: y, width, classes }, { C, maxIterations: 3 })).converged).toBe(
      false,
    );
  });

  it("refuses features that are no numbers, labels out of range and fewer than two classes", async () => {
    const fitting = (x: number[], labels: number[]) =>
      fitLogistic(device, { x, labels, width: 1, classes: 2 }, { C: 1 });
    await expect(fitting([1, Number.NaN], [0, 1])).rejects.toThrow(
      /features: expected finite numbers, got NaN in row 1/,
    );
    const wide = { x: [1, 2, 3, Number.NaN], labels: [0, 1], width: 2, classes: 2 };
    await expect(fitLogistic(device, wide, { C: 1 })).rejects.toThrow(/got NaN in row 1/);
    await expect(fitting([1, 2], [0, 2])).rejects.toThrow(/labels in 0\.\.1, got 2 in row 1/);
    await expect(fitting([1, 2], [1, 1])).rejects.toThrow(/two classes or more, got 2 samples of 1/);
  });
});
