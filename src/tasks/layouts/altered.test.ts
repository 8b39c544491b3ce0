import { describe, expect, it } from "vitest";
import { type Pixels, pixels } from "../../image/index.ts";
import { random } from "../../tensor/index.ts";
import { alteredSource, shifted, shuffled } from "./altered.ts";
import type { TaskSource } from "./open.ts";

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
  it("shuffled: a picture of fewer pixels than cells keeps all of them", () => {
    const image = picture(3, 8);
    const out = shuffled(image, 4, "a");
    const values = ({ data }: Pixels): number[] => [...data].sort((a, b) => a - b);
    expect([out.width, out.height]).toEqual([3, 8]);
    expect(values(out)).toEqual(values(image));
  });
  it("of a source: one that cannot be read is told, and the others come", async () => {
    const ppm = new Uint8Array([...new TextEncoder().encode("P6\n2 1\n255\n"), 1, 2, 3, 4, 5, 6]);
    const images = { good: ppm, broken: Uint8Array.of(1, 2, 3), "good too": ppm };
    const source = {
      name: "pictures",
      async *samples() {
        for (const [key, image] of Object.entries(images)) yield { sample: { key, image }, cursor: 0 };
      },
    } as unknown as TaskSource;
    const bad: string[] = [];
    const keys: string[] = [];
    const onBad = ({ key }: { readonly key: string }): unknown => bad.push(key);
    for await (const { sample } of alteredSource(source, { shuffle: 2 }).samples({ onBad })) keys.push(sample.key);
    expect([keys, bad]).toEqual([["good", "good too"], ["broken"]]);
  });
  it("shifted: each pixel comes from up and left, and the border is repeated", () => {
    const image = picture(8, 4);
    const out = shifted(image, 0.25);
    for (let y = 0; y < 4; y++)
      for (let x = 0; x < 8; x++) expect(at(out, x, y)).toEqual(at(image, Math.max(0, x - 2), Math.max(0, y - 1)));
  });
});
