import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { allclose, compareTensors, formatDifference } from "./compare.ts";
import { fromNumbers, type Tensor } from "./tensor.ts";

const t = (values: number[], shape: number[] = [values.length]): Tensor => fromNumbers(values, shape, "float64");

describe("allclose", () => {
  it("adds the absolute and the relative part of the tolerance", () => {
    expect(allclose(t([101.4]), t([100]), { rtol: 0.01, atol: 0.5 })).toBe(true);
    expect(allclose(t([101.6]), t([100]), { rtol: 0.01, atol: 0.5 })).toBe(false);
  });

  it("asks for equality when no tolerance is given", () => {
    expect(allclose(t([1, -0]), t([1, 0]))).toBe(true);
    expect(allclose(t([1 + 2 ** -52]), t([1]))).toBe(false);
  });

  it("takes NaN for close to nothing, and infinity for close to itself only", () => {
    const wide = { rtol: 1, atol: 1e9 };
    expect(allclose(t([Number.NaN]), t([Number.NaN]), wide)).toBe(false);
    expect(allclose(t([Number.NaN]), t([1]), wide)).toBe(false);
    expect(allclose(t([Infinity]), t([Infinity]), wide)).toBe(true);
    expect(allclose(t([-Infinity]), t([Infinity]), wide)).toBe(false);
    expect(allclose(t([1]), t([Infinity]), wide)).toBe(false);
    expect(allclose(t([Infinity]), t([1]), wide)).toBe(false);
  });

  it("refuses tensors of different shapes, even of one size", () => {
    expect(() => allclose(t([1, 2]), t([1, 2], [2, 1]))).toThrow(ShapeError);
  });
});

describe("compareTensors", () => {
  it("finds the element that leaves the tolerance by the largest factor", () => {
    const actual = t([100.5, 1, 1.2, 4], [2, 2]);
    const expected = t([100, 1, 1, 4], [2, 2]);
    const difference = compareTensors(actual, expected, { rtol: 0.001 });
    expect(difference).toMatchObject({ close: false, outside: 2, total: 4, maxAbsolute: 0.5 });
    expect(difference.worst).toEqual({ index: [1, 0], actual: 1.2, expected: 1 });
    expect(difference.maxRelative).toBeCloseTo(0.2, 12);
  });

  it("says what it found in one line", () => {
    expect(formatDifference(compareTensors(t([1, 2.5]), t([1, 2])))).toBe(
      "1 of 2 elements differ; worst at (1): expected 2, got 2.5 (absolute 0.500, relative 0.250)",
    );
    expect(formatDifference(compareTensors(t([1]), t([1])))).toBe("all 1 elements are equal");
  });
});
