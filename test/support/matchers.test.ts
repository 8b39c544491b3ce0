import { describe, expect, it } from "vitest";
import { fromNumbers } from "../../src/tensor/index.ts";

describe("toBeAllclose", () => {
  it("passes for close tensors, plain numbers included", () => {
    expect(fromNumbers([1, 2], [2])).toBeAllclose([1, 2.000001], { rtol: 1e-6 });
    expect([1, 2]).not.toBeAllclose([1, 2.1], { atol: 0.01 });
  });

  it("prints the worst element, its index and both values", () => {
    const check = (): unknown =>
      expect(fromNumbers([1, 2, 3, 4], [2, 2])).toBeAllclose(fromNumbers([1, 2, 3.5, 4], [2, 2]), { rtol: 1e-3 });
    expect(check).toThrow(/rtol 0.001.*1 of 4 elements differ; worst at \(1, 0\): expected 3.5, got 3/);
  });

  it("fails for another shape", () => {
    expect(() => expect(fromNumbers([1], [1, 1])).toBeAllclose([1])).toThrow(/shape \(1\), got \(1, 1\)/);
  });
});
