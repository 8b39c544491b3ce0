import { describe, expect, it } from "vitest";
import { random } from "../tensor/index.ts";
import { colourErrors, evened, type Planes } from "./colour-errors.ts";

const plain = (side: number, ...rgb: readonly number[]): Planes => ({
  side,
  data: Float32Array.from({ length: 3 * side ** 2 }, (_, i) => rgb[Math.floor(i / side ** 2)]!),
});
const noisy = (side: number): Planes => {
  const rng = random(3, "planes");
  return { side, data: Float32Array.from({ length: 3 * side ** 2 }, () => rng.uniform()) };
};

describe("colourErrors", () => {
  it("splits ΔE*ab of white and red, L* 100 and 53.24, a* 80.09, b* 67.20, into its two parts", () => {
    const { colour, lightness } = colourErrors(plain(2, 1, 1, 1), plain(2, 1, 0, 0));
    expect(colour).toBeCloseTo(Math.hypot(80.09, 67.2), 1);
    expect(lightness).toBeCloseTo(100 - 53.24, 1);
  });

  it("is nothing for the same picture, and the same both ways", () => {
    const [a, b] = [noisy(6), plain(6, 0.2, 0.5, 0.7)];
    expect(colourErrors(a, a)).toEqual({ colour: 0, lightness: 0 });
    expect(colourErrors(a, b).colour).toBeCloseTo(colourErrors(b, a).colour, 9);
  });

  it("is the mean over pixels", () => {
    const half = plain(2, 1, 1, 1);
    half.data.set([0, 0], 0);
    half.data.set([0, 0], 4);
    half.data.set([0, 0], 8);
    expect(colourErrors(plain(2, 1, 1, 1), half).lightness).toBeCloseTo(50, 2);
  });
});

describe("evened", () => {
  it("gives each square its mean, as counted one by one", () => {
    const { data } = noisy(6);
    const found = evened({ side: 6, data }, 3).data;
    for (const [c, y, x] of [
      [0, 0, 0],
      [1, 4, 2],
      [2, 5, 5],
    ] as const) {
      const [top, left] = [y - (y % 3), x - (x % 3)];
      let sum = 0;
      for (let dy = 0; dy < 3; dy++) for (let dx = 0; dx < 3; dx++) sum += data[c * 36 + (top + dy) * 6 + left + dx]!;
      expect(found[c * 36 + y * 6 + x]).toBeCloseTo(sum / 9, 6);
    }
  });

  it("of a picture's own size leaves one colour", () => {
    expect(new Set(evened(noisy(4), 4).data).size).toBe(3);
  });
});
