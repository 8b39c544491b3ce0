import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noisePixels } from "../../test/golden/image/pictures.ts";
import { ConfigError, ShapeError } from "../errors.ts";
import { type Random, random } from "../tensor/index.ts";
import { roundHalfEven } from "./crop.ts";
import {
  centerCrop,
  crop,
  filledPixels,
  flipHorizontal,
  pixels,
  randomCropRegion,
  resize,
  resizeShorter,
} from "./index.ts";

describe("pixels", () => {
  it("refuses sizes and bytes that do not fit", () => {
    expect(() => pixels(2, 2, new Uint8Array(11))).toThrow("needs 12 bytes, got 11");
    expect(() => pixels(0, 2, new Uint8Array(0))).toThrow(ShapeError);
  });
});

describe("centerCrop", () => {
  const image = noisePixels("centre", 9, 8);

  it("rounds half a pixel as the reference asked for", () => {
    // Margins 3 and 2: Hugging Face floors 1.5 to 1, torchvision rounds it to 2.
    expect(centerCrop(image, 6)).toEqual(crop(image, { left: 1, top: 1, width: 6, height: 6 }));
    expect(centerCrop(image, 6, "even")).toEqual(crop(image, { left: 2, top: 1, width: 6, height: 6 }));
    // Margin 1: both take 0.
    expect(centerCrop(image, 8, "even")).toEqual(centerCrop(image, 8));
    expect(centerCrop(image, { width: 9, height: 8 })).toEqual(image);
  });

  it("frames a picture that is too small in black", () => {
    const white = filledPixels(1, 2, [255, 255, 255]);
    const row = ({ data }: { data: Uint8Array }): string[] =>
      [0, 1, 2, 3].map((y) =>
        [...data.slice(y * 12, y * 12 + 12)]
          .filter((_, i) => i % 3 === 0)
          .map((v) => (v ? "#" : "."))
          .join(""),
      );
    expect(row(centerCrop(white, 4))).toEqual(["....", "..#.", "..#.", "...."]);
    expect(row(centerCrop(white, 4, "even"))).toEqual(["....", ".#..", ".#..", "...."]);
  });
});

describe("resizeShorter", () => {
  it("keeps the ratio and truncates the longer side", () => {
    for (const [w, h, ow, oh] of [
      [40, 30, 26, 20],
      [30, 40, 20, 26],
      [17, 17, 20, 20],
      [500, 375, 26, 20],
    ] as const) {
      const image = noisePixels("shorter", w, h);
      expect(resizeShorter(image, 20, "bicubic")).toEqual(resize(image, ow, oh, "bicubic"));
    }
  });
});

describe("flipHorizontal", () => {
  it("mirrors pixels, not bytes, and twice is once not", () => {
    expect([...flipHorizontal(pixels(2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6))).data]).toEqual([4, 5, 6, 1, 2, 3]);
    const image = noisePixels("flip", 7, 5);
    expect(flipHorizontal(flipHorizontal(image))).toEqual(image);
  });
});

describe("roundHalfEven", () => {
  it("rounds as Python does", () => {
    expect([0.5, 1.5, 2.5, 3.5, 2.4999, 2.5001, -1.5].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2, 3, -2]);
  });
});

describe("randomCropRegion", () => {
  const options = { scale: [0.9, 1] } as const;
  const scripted = (draws: number[], asked: string[]): Random => {
    const next = (what: string): number => {
      asked.push(what);
      return draws[asked.length - 1]!;
    };
    return { uniform: () => next("uniform"), integer: (n) => next(`integer ${n}`), bits: () => 0, normal: () => 0 };
  };

  it("draws area, ratio, top and left, in this order", () => {
    const asked: string[] = [];
    // area = 100·100·0.95, ratio = 1: a side of √9500 = 97.47 → 97.
    const region = randomCropRegion(100, 100, options, scripted([0.5, 0.5, 1, 2], asked));
    expect(asked).toEqual(["uniform", "uniform", "integer 4", "integer 4"]);
    expect(region).toEqual({ left: 2, top: 1, width: 97, height: 97 });
  });

  it("tries ten times, then takes the largest centred region of an allowed ratio", () => {
    const asked: string[] = [];
    expect(randomCropRegion(100, 10, options, scripted(new Array(20).fill(0.5), asked))).toEqual({
      left: 43,
      top: 0,
      width: 13,
      height: 10,
    });
    expect(asked.length).toBe(20);
    expect(randomCropRegion(10, 100, options, scripted(new Array(20).fill(0.5), []))).toEqual({
      left: 0,
      top: 43,
      width: 10,
      height: 13,
    });
    // 0.95 of the area at the ratio 4/3 is wider than a square: the whole square.
    expect(randomCropRegion(50, 50, options, scripted(new Array(20).fill(1 - 1e-9), []))).toEqual({
      left: 0,
      top: 0,
      width: 50,
      height: 50,
    });
  });

  it("stays inside and within its bounds, up to rounding", () => {
    const side = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(side, side, fc.nat(), (width, height, seed) => {
        const {
          left,
          top,
          width: w,
          height: h,
        } = randomCropRegion(width, height, { scale: [0.05, 0.4] }, random(seed, "crop"));
        expect(Math.min(left, top, w - 1, h - 1)).toBeGreaterThanOrEqual(0);
        expect(left + w).toBeLessThanOrEqual(width);
        expect(top + h).toBeLessThanOrEqual(height);
      }),
    );
  });

  it("is uniform in area and log-uniform in ratio", () => {
    const [areas, ratios, lefts]: number[][] = [[], [], []];
    for (let i = 0; i < 4000; i++) {
      const { left, width, height } = randomCropRegion(1000, 1000, { scale: [0.2, 0.5] }, random(3, "crop", 0, i));
      areas!.push((width * height) / 1e6);
      ratios!.push(Math.log(width / height));
      lefts!.push(left / (1000 - width));
    }
    const mean = (v: number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
    const deviation = (v: number[]): number => Math.sqrt(mean(v.map((x) => (x - mean(v)) ** 2)));
    // Within four standard errors of the means and 5 % of the deviations of uniform variables.
    expect(Math.abs(mean(areas!) - 0.35)).toBeLessThan((4 * 0.3) / Math.sqrt(12 * 4000));
    expect(deviation(areas!) / (0.3 / Math.sqrt(12))).toBeCloseTo(1, 1);
    expect(Math.abs(mean(ratios!))).toBeLessThan((4 * 2 * Math.log(4 / 3)) / Math.sqrt(12 * 4000));
    expect(Math.max(...ratios!)).toBeLessThan(Math.log(4 / 3) + 0.005);
    expect(Math.max(...ratios!)).toBeGreaterThan(Math.log(4 / 3) - 0.01);
    expect(Math.abs(mean(lefts!) - 0.5)).toBeLessThan(4 / Math.sqrt(12 * 4000));
  });

  it("refuses ranges that make no sense", () => {
    for (const scale of [
      [0, 1],
      [0.5, 0.4],
      [Number.NaN, 1],
    ] as const)
      expect(() => randomCropRegion(9, 9, { scale }, random(0, "x"))).toThrow(ConfigError);
    expect(() => randomCropRegion(9, 9, { scale: [0.5, 1], ratio: [2, 1] }, random(0, "x"))).toThrow("ratio");
  });
});
