import { describe, expect, it } from "vitest";
import { noisePixels, pillowGoldens } from "../../test/golden/image/pictures.ts";
import { ConfigError } from "../errors.ts";
import { fnv1a, random } from "../tensor/index.ts";
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  colourJitter,
  filledPixels,
  gaussianBlur,
  greyscale,
  type Pixels,
  solarize,
} from "./index.ts";

const EFFECTS: Readonly<Record<string, (image: Pixels, value: number) => Pixels>> = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
  blur: gaussianBlur,
  solarize,
  greyscale,
};

describe("effects", () => {
  it("make Pillow's bytes and leave their input alone", () => {
    const image = noisePixels("effects", 61, 43);
    const goldens = pillowGoldens().effects;
    expect(new Set(goldens.map((g) => g.effect))).toEqual(new Set(Object.keys(EFFECTS)));
    for (const { effect, value, hash } of goldens)
      expect(fnv1a(EFFECTS[effect]!(image, value).data), `${effect} ${value}`).toBe(hash);
    expect(image).toEqual(noisePixels("effects", 61, 43));
  });

  it("do what their names say to one colour", () => {
    const image = filledPixels(2, 2, [200, 100, 50]);
    const colour = ({ data }: Pixels): number[] => [...data.slice(0, 3)];
    expect(colour(adjustBrightness(image, 0.5))).toEqual([100, 50, 25]);
    expect(colour(adjustBrightness(image, 2))).toEqual([255, 200, 100]);
    expect(colour(greyscale(image))).toEqual([124, 124, 124]); // 0.299·200 + 0.587·100 + 0.114·50 = 124.2
    expect(colour(adjustContrast(image, 0))).toEqual([124, 124, 124]);
    expect(colour(adjustSaturation(image, 0))).toEqual([124, 124, 124]);
    expect(colour(solarize(image))).toEqual([55, 100, 50]);
    expect(colour(adjustHue(filledPixels(1, 1, [255, 0, 0]), 1 / 3))).toEqual([0, 255, 0]);
    expect(gaussianBlur(image, 1.5)).toEqual(image);
  });

  it("refuse values out of range", () => {
    const image = filledPixels(2, 2, [1, 2, 3]);
    for (const effect of [adjustBrightness, adjustContrast, adjustSaturation, gaussianBlur])
      for (const value of [-0.1, Number.NaN, Number.POSITIVE_INFINITY])
        expect(() => effect(image, value)).toThrow(ConfigError);
    expect(() => adjustHue(image, 0.6)).toThrow("−0.5..0.5");
  });
});

describe("gaussianBlur", () => {
  it("spreads a point with the variance of the radius", () => {
    for (const radius of [1.2, 3]) {
      const data = new Uint8Array(61 * 61 * 3);
      data.fill(255, (30 * 61 + 28) * 3, (30 * 61 + 33) * 3);
      const { data: out } = gaussianBlur({ width: 61, height: 61, data }, radius);
      let [mass, variance] = [0, 0];
      for (let y = 0; y < 61; y++) {
        const v = out[(y * 61 + 30) * 3]!;
        mass += v;
        variance += v * (y - 30) ** 2;
      }
      expect(Math.sqrt(variance / mass)).toBeGreaterThan(radius * 0.93);
      expect(Math.sqrt(variance / mass)).toBeLessThan(radius * 1.07);
    }
  });
});

describe("colourJitter", () => {
  const options = { brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 };
  const image = noisePixels("jitter", 16, 16);

  it("applies the four changes in the drawn order with the drawn factors", () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const rng = random(seed, "check");
      const order = [0, 1, 2, 3];
      for (let i = 3; i > 0; i--) {
        const j = rng.integer(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      const [b, c, s, h] = [rng.uniform(), rng.uniform(), rng.uniform(), rng.uniform()];
      const steps = [
        (x: Pixels) => adjustBrightness(x, 0.6 + 0.8 * b),
        (x: Pixels) => adjustContrast(x, 0.6 + 0.8 * c),
        (x: Pixels) => adjustSaturation(x, 0.8 + (1.2 - 0.8) * s),
        (x: Pixels) => adjustHue(x, 0.2 * h - 0.1),
      ];
      let expected = image;
      for (const step of order) expected = steps[step]!(expected);
      expect(colourJitter(image, options, random(seed, "check"))).toEqual(expected);
      orders.add(order.join(""));
    }
    expect(orders.size).toBeGreaterThan(12);
  });

  it("changes nothing when all ranges are 0", () => {
    const off = { brightness: 0, contrast: 0, saturation: 0, hue: 0 };
    expect(colourJitter(image, off, random(1, "off"))).toEqual(image);
    expect(() => colourJitter(image, { ...off, hue: 0.7 }, random(1, "off"))).toThrow(ConfigError);
  });
});
