import { describe, expect, it } from "vitest";
import { type Evaluated, minimize } from "./lbfgs.ts";

/** Σ aᵢ (xᵢ − i)² / 2 + `above`. */
const bowl =
  (curvatures: readonly number[], above: number) =>
  async (x: Float64Array): Promise<Evaluated> => {
    const gradient = Float64Array.from(x, (v, i) => curvatures[i]! * (v - i));
    const value = gradient.reduce((sum, g, i) => sum + (g * (x[i]! - i)) / 2, above);
    return { value, gradient };
  };

const curvatures = Array.from({ length: 20 }, (_, i) => 1.5 ** i);
const options = { start: new Float64Array(20), maxIterations: 1000, tolerance: 1e-9 };

describe("minimize", () => {
  it("goes on by slopes where the values differ by rounding alone", async () => {
    const found = await minimize({ ...options, evaluate: bowl(curvatures, 1e6) });
    expect(found.ended).toBe("tolerance");
    expect(found.evaluations).toBeLessThan(1.5 * found.iterations + 10);
    for (const [i, v] of found.x.entries()) expect(v).toBeCloseTo(i, 8);
  });

  it("reaches a minimum that is a million steps away in a few evaluations", async () => {
    const far = async (x: Float64Array): Promise<Evaluated> => {
      const d = x[0]! - 1e6;
      return { value: 1e-6 * d * d, gradient: Float64Array.of(2e-6 * d) };
    };
    const found = await minimize({ ...options, start: new Float64Array(1), evaluate: far });
    expect(found.x[0]).toBeCloseTo(1e6, 1);
    expect(found.evaluations).toBeLessThan(12);
  });

  it("ends where neither value nor gradient gets smaller any more, with the best place", async () => {
    let calls = 0;
    const noisy = async (x: Float64Array): Promise<Evaluated> => {
      const { value, gradient } = await bowl([1, 2], 1)(x);
      return { value, gradient: gradient.map((g) => g + 1e-6 * Math.sin(++calls)) };
    };
    const found = await minimize({ ...options, start: new Float64Array(2), evaluate: noisy });
    expect(found.ended).toBe("precision");
    expect(found.evaluations).toBeLessThan(300);
    expect(found.x[1]).toBeCloseTo(1, 4);
    expect(found.gradientNorm).toBe(Math.max(...found.gradient.map(Math.abs)));
  });

  it("leaves a region whose values are no numbers", async () => {
    const walled = async (x: Float64Array): Promise<Evaluated> => ({
      value: x[0]! < 3 ? (x[0]! - 2) ** 2 : Number.POSITIVE_INFINITY,
      gradient: Float64Array.of(x[0]! < 3 ? 2 * (x[0]! - 2) : Number.NaN),
    });
    const found = await minimize({ ...options, start: Float64Array.of(-40), evaluate: walled });
    expect(found.x[0]).toBeCloseTo(2, 6);
  });
});
