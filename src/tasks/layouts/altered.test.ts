import { describe, expect, it } from "vitest";
import { type Pixels, pixels } from "../../image/index.ts";
import { random } from "../../tensor/index.ts";
import { shifted, shuffled } from "./altered.ts";

const rng = random(3, "altered");
const picture = (width: number, height: number): Pixels =>
  pixels(
    width,
    height,
    Uint8Array.from({ length: 3 * width * height }, () => rng.integer(256)),
  );
const at = ({ width, data }: Pixels, x: number, y: number): number[] => [
  ...data.subarray(3 * (y * width + x)).slice(0, 3),
];

/** The cells of a grid as text, in no order. */
const cells = (image: Pixels, n: number): string[] => {
  const [w, h] = [Math.floor(image.width / n), Math.floor(image.height / n)];
  return Array.from({ length: n * n }, (_, c) =>
    Array.from({ length: w * h }, (_, i) =>
      at(image, (c % n) * w + (i % w), Math.floor(c / n) * h + Math.floor(i / w)),
    ).join(),
  ).sort();
};

describe("altered pictures", () => {
  it("shuffled: the same cells in another order, which the key decides, and what does not divide is cut off", () => {
    const image = picture(14, 9);
    const out = shuffled(image, 4, "a");
    expect([out.width, out.height]).toEqual([12, 8]);
    expect(cells(out, 4)).toEqual(cells(image, 4));
    expect(out.data).toEqual(shuffled(image, 4, "a").data);
    expect(out.data).not.toEqual(shuffled(image, 4, "b").data);
  });
  it("shifted: each pixel comes from up and left, and the border is repeated", () => {
    const image = picture(8, 4);
    const out = shifted(image, 0.25);
    for (let y = 0; y < 4; y++)
      for (let x = 0; x < 8; x++) expect(at(out, x, y)).toEqual(at(image, Math.max(0, x - 2), Math.max(0, y - 1)));
  });
});
