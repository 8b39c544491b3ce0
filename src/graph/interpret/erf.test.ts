import { describe, expect, it } from "vitest";
import { erf, erfc } from "./erf.ts";

/** Fixed-point arithmetic with 1200 fractional bits: enough for the cancellation of the series up to x = 15. */
const BITS = 1200n;
const ONE = 1n << BITS;
const times = (a: bigint, b: bigint): bigint => (a * b) >> BITS;

function fixed(x: number): bigint {
  const scaled = x * 2 ** 90; // exact: only the exponent changes
  return BigInt(scaled) << (BITS - 90n);
}

/** arctan(1/n) by its series. */
function arctanInverse(n: bigint): bigint {
  let [term, total] = [ONE / n, 0n];
  for (let k = 1n; term !== 0n; k += 2n, term /= -n * n) total += term / k;
  return total;
}

function squareRoot(x: bigint): bigint {
  const target = x << BITS;
  let r = x;
  for (;;) {
    const next = (r + target / r) >> 1n;
    if (next >= r) return r;
    r = next;
  }
}

const PI = 4n * (4n * arctanInverse(5n) - arctanInverse(239n)); // Machin 1706
const TWO_OVER_ROOT_PI = ((2n * ONE) << BITS) / squareRoot(PI);

/** erf(x) = 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)), in fixed point. */
function series(x: number): bigint {
  const x1 = fixed(x);
  const x2 = times(x1, x1);
  let [power, total] = [x1, 0n];
  for (let n = 0n; power !== 0n && power !== -1n; n++, power = -times(power, x2) / n) total += power / (2n * n + 1n);
  return times(total, TWO_OVER_ROOT_PI);
}

/** The nearest number to a fixed-point one, with all its significant digits. */
function toNumber(x: bigint): number {
  const bits = BigInt((x < 0n ? -x : x).toString(2).length);
  const drop = bits > 64n ? bits - 64n : 0n;
  return Number(x >> drop) * 2 ** Number(drop - BITS);
}

const POINTS = Array.from({ length: 240 }, (_, i) => Math.fround((i + 1) * 0.0247));

describe("erf", () => {
  it("agrees with the series in 1200 bits to 4 units in the last place", () => {
    for (const x of [...POINTS, 1e-8, 0.46875, 0.4687500001, 4, 4.0000001]) {
      const exact = toNumber(series(x));
      expect(Math.abs(erf(x) / exact - 1), `erf(${x})`).toBeLessThan(9e-16);
      expect(erf(-x)).toBe(-erf(x));
    }
  });

  it("has the values of Abramowitz and Stegun, table 7.1", () => {
    expect(erf(0.5)).toBeCloseTo(0.5204998778, 10);
    expect(erf(1)).toBeCloseTo(0.8427007929, 10);
    expect(erf(2)).toBeCloseTo(0.995322265, 9);
  });

  it("is 0 at 0, ±1 at ±infinity and NaN at NaN", () => {
    expect([erf(0), erf(Number.POSITIVE_INFINITY), erf(Number.NEGATIVE_INFINITY)]).toEqual([0, 1, -1]);
    expect(erf(Number.NaN)).toBeNaN();
    expect(erfc(Number.NaN)).toBeNaN();
  });
});

describe("erfc", () => {
  it("keeps its relative precision far out in the tail", () => {
    for (const x of [...POINTS, 7.3, 9.9, 12.25, 14.875]) {
      const exact = toNumber(ONE - series(x));
      expect(Math.abs(erfc(x) / exact - 1), `erfc(${x})`).toBeLessThan(2e-15);
    }
  });

  it("is 1 − erf on the negative side", () => {
    for (const x of POINTS) expect(Math.abs(erfc(-x) / toNumber(ONE + series(x)) - 1)).toBeLessThan(5e-16);
  });
});
