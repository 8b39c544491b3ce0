import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import {
  CLIP_NORM,
  decodeImage,
  filledPixels,
  mapPixelsTable,
  normalizeTable,
  type Pixels,
  pixels,
  toPlanes,
  unitTable,
} from "../image/index.ts";
import { fromNumbers, random, type Tensor } from "../tensor/index.ts";
import { fromMapped, fromNormalized, fromUnit, hatched, picturesOf, withPatches } from "./canvas.ts";
import { pngOf } from "./png.ts";

function noise(width: number, height: number, seed: number): Pixels {
  const rng = random(seed, "canvas-test");
  return pixels(
    width,
    height,
    Uint8Array.from({ length: 3 * width * height }, () => rng.integer(256)),
  );
}

/** Two pictures as a batch. */
function batch(pictures: readonly Pixels[], table: Parameters<typeof toPlanes>[1]): Tensor {
  const rows = pictures.map((picture) => toPlanes(picture, table));
  return fromNumbers(
    rows.flatMap(({ data }) => [...data]),
    [pictures.length, ...rows[0]!.shape],
  );
}

describe("picturesOf", () => {
  const pictures = [noise(6, 4, 1), noise(6, 4, 2)];
  it.each([
    ["normalised", normalizeTable(CLIP_NORM), fromNormalized],
    ["mapped", mapPixelsTable(), fromMapped],
    ["unit", unitTable(), fromUnit],
  ] as const)("gives back the bytes of %s planes", (_, table, toByte) =>
    expect(picturesOf(batch(pictures, table), toByte)).toEqual(pictures),
  );
  it("clamps what is out of range", () =>
    expect([...picturesOf(fromNumbers([-1, 2, 0.5], [1, 3, 1, 1]), fromUnit)[0]!.data]).toEqual([0, 255, 128]));
  it("refuses other shapes", () => {
    expect(() => picturesOf(fromNumbers([1], [1, 1, 1, 1]), fromUnit)).toThrow(ShapeError);
    expect(() => picturesOf(fromNumbers([1, 1, 1], [3, 1, 1]), fromUnit)).toThrow(/expected \(B, 3, H, W\), got/);
  });
});

describe("withPatches", () => {
  it("takes the pixels of masked patches from the other picture, all others from the first", () => {
    const [one, other] = [noise(8, 8, 3), noise(8, 8, 4)];
    const mixed = withPatches(one, [0, 1, 1, 0], other);
    for (let y = 0; y < 8; y++)
      for (let x = 0; x < 8; x++) {
        const from = x < 4 === y < 4 ? one : other;
        const at = 3 * (8 * y + x);
        expect(mixed.data.subarray(at, at + 3)).toEqual(from.data.subarray(at, at + 3));
      }
    expect(one).toEqual(noise(8, 8, 3));
  });
  it("refuses pictures of different sizes and patches that are not whole", () => {
    const one = noise(8, 8, 3);
    expect(() => withPatches(one, [0, 1, 1, 0], noise(8, 4, 3))).toThrow(ShapeError);
    expect(() => withPatches(one, new Uint8Array(9), one)).toThrow(/whole patches on a grid of 3, got 8×8/);
  });
});

describe("hatched", () => {
  it("is grey and never plain, however small the patch", () => {
    const { data } = hatched(filledPixels(4, 4, [0, 0, 0]));
    for (let i = 0; i < data.length; i += 3) expect(new Set(data.subarray(i, i + 3)).size).toBe(1);
    expect(new Set(data).size).toBe(2);
  });
});

describe("pngOf", () => {
  it.each([
    [48, 3],
    [32, 5],
    [112, 1],
    [500, 1],
  ])("makes each pixel of a picture %i wide a square of %i", async (side, factor) => {
    const picture = noise(side, 2, 5);
    const shown = await decodeImage(await pngOf(picture));
    expect([shown.width, shown.height]).toEqual([side * factor, 2 * factor]);
    for (let y = 0; y < shown.height; y++)
      for (let x = 0; x < shown.width; x++) {
        const from = 3 * (Math.floor(y / factor) * side + Math.floor(x / factor));
        const to = 3 * (y * shown.width + x);
        if (shown.data[to] !== picture.data[from] || shown.data[to + 2] !== picture.data[from + 2])
          expect.fail(`pixel ${x}, ${y} differs`);
      }
  });
});
