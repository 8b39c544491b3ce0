import { describe, expect, it } from "vitest";
import { lab } from "./lab.ts";

describe("lab", () => {
  /** As colour converters print them for D65: Lindbloom's, and CSS Color 4's sample code, agree to these digits. */
  it.each([
    [
      [1, 1, 1],
      [100, 0, 0],
    ],
    [
      [0, 0, 0],
      [0, 0, 0],
    ],
    [
      [1, 0, 0],
      [53.24, 80.09, 67.2],
    ],
    [
      [0, 1, 0],
      [87.73, -86.18, 83.18],
    ],
    [
      [0, 0, 1],
      [32.3, 79.19, -107.86],
    ],
    [
      [0.5, 0.5, 0.5],
      [53.39, 0, 0],
    ],
  ] as const)("of %j is %j", (rgb, expected) => {
    const found = lab(rgb[0], rgb[1], rgb[2]);
    for (const i of [0, 1, 2] as const) expect(Math.abs(found[i] - expected[i]), `${i}`).toBeLessThan(0.06);
  });

  it("clamps what is outside", () => {
    expect(lab(2, -1, 0)).toEqual(lab(1, 0, 0));
  });
});
