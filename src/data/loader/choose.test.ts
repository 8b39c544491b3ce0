import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { chooseDataset, pickWeighted } from "./choose.ts";

describe("chooseDataset", () => {
  it("gives each data set its share of the steps", () => {
    const ratios = [0.7, 0.15, 0.15];
    const steps = 20_000;
    const counts = [0, 0, 0];
    for (let step = 1; step <= steps; step++) counts[chooseDataset(7, step, ratios)]!++;
    for (const [i, ratio] of ratios.entries()) {
      const deviation = Math.sqrt(steps * ratio * (1 - ratio));
      expect(Math.abs(counts[i]! - steps * ratio)).toBeLessThan(4 * deviation);
    }
  });

  it("is a function of seed and step alone", () => {
    const choices = (seed: number, order: number[]): number[] => {
      const byStep = new Map(order.map((step) => [step, chooseDataset(seed, step, [1, 1])]));
      return [...byStep.keys()].sort((a, b) => a - b).map((step) => byStep.get(step)!);
    };
    const forward = Array.from({ length: 64 }, (_, i) => i);
    expect(choices(1, forward)).toEqual(choices(1, forward.toReversed()));
    expect(choices(1, forward)).not.toEqual(choices(2, forward));
  });

  it("minds only the ratio of the numbers", () => {
    for (let step = 0; step < 200; step++)
      expect(chooseDataset(3, step, [14, 3, 3])).toBe(chooseDataset(3, step, [0.7, 0.15, 0.15]));
  });
});

describe("pickWeighted", () => {
  it("never picks a weight of 0, not even at the ends", () => {
    for (const u of [0, 0.5, 1 - 2 ** -32, 1]) expect(pickWeighted([0, 2, 0], u)).toBe(1);
    expect(pickWeighted([1, 1], 0.5)).toBe(1);
  });

  it("refuses weights that are no shares", () => {
    for (const bad of [[], [0, 0], [1, -1], [Number.NaN], [Number.POSITIVE_INFINITY]])
      expect(() => pickWeighted(bad, 0.5)).toThrow(ConfigError);
  });
});
