import { describe, expect, it } from "vitest";
import { gumbel } from "./gumbel.ts";

/** Euler's constant: the mean of the standard Gumbel distribution. Its variance is π²/6. */
const EULER = 0.5772156649;

describe("gumbel", () => {
  const N = 200_000;
  const draws = Array.from(gumbel(1, 2, [N]).data).sort((a, b) => a - b);

  it("has the mean and the variance of the standard distribution", () => {
    const mean = draws.reduce((a, b) => a + b) / N;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / N;
    // Five standard errors: σ/√N = 0.0029, and with a kurtosis of 5.4 √(4.4/N)·σ² = 0.0077.
    expect(Math.abs(mean - EULER)).toBeLessThan(0.0143);
    expect(Math.abs(variance - Math.PI ** 2 / 6)).toBeLessThan(0.0386);
  });

  it("has its distribution function, exp(−exp(−x))", () => {
    // Kolmogorov's distance stays below 1.95/√N in 999 of 1,000 draws; steps of 1/65,536 and ties add a little.
    const off = draws.map((x, i) => Math.abs((i + 0.5) / N - Math.exp(-Math.exp(-x))));
    const distance = off.reduce((a, b) => Math.max(a, b));
    expect(distance).toBeLessThan(1.95 / Math.sqrt(N) + 2 / 65_536);
    // Quantised at the middles of 65,536 parts: the ends are −ln ln 131,072 and −ln(−ln(1 − 1/131,072)).
    expect(draws[0]).toBeGreaterThanOrEqual(-Math.log(Math.log(131_072)) - 1e-6);
    expect(draws.at(-1)).toBeLessThanOrEqual(-Math.log(-Math.log1p(-1 / 131_072)) + 1e-6);
  });

  it("has neighbours that know nothing of each other", () => {
    const x = gumbel(1, 2, [N]).data;
    for (const lag of [1, 2, 7, 8, 16]) {
      let product = 0;
      for (let i = lag; i < N; i++) product += (x[i]! - EULER) * (x[i - lag]! - EULER);
      // Correlations of independent draws are normal with 1/√N: five of them.
      expect(Math.abs(product / (N - lag) / (Math.PI ** 2 / 6)), `lag ${lag}`).toBeLessThan(5 / Math.sqrt(N));
    }
  });

  it("depends on seed, step and place alone, not on how much is drawn", () => {
    const whole = gumbel(3, 4, [5, 7, 3]);
    expect(whole.shape).toEqual([5, 7, 3]);
    expect(gumbel(3, 4, [5, 7, 3])).toEqual(whole);
    for (const n of [1, 7, 8, 9, 100]) expect(gumbel(3, 4, [n]).data).toEqual(whole.data.subarray(0, n));
    expect(gumbel(3, 5, [105]).data).not.toEqual(whole.data);
    expect(gumbel(4, 4, [105]).data).not.toEqual(whole.data);
    expect(gumbel(3, 4, [0]).data.length).toBe(0);
  });
});
