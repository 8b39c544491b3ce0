import { describe, expect, it } from "vitest";
import { noisePixels } from "../../test/golden/image/pictures.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import {
  CLIP_NORM,
  clipEvalImage,
  filledPixels,
  flavaEvalImage,
  IMAGENET_NORM,
  mapPixelsTable,
  normalizeTable,
  toPlanes,
  unitTable,
} from "./index.ts";

const sum = ({ data }: Tensor<"float32">): number => data.reduce((a, b) => a + b, 0);
const at = ({ data, shape }: Tensor<"float32">, row: number, column: number): number[] =>
  [0, 1, 2].map((c) => data[(c * shape[1]! + row) * shape[2]! + column]!);
const white = filledPixels(2, 2, [255, 255, 255]);

describe("flavaEvalImage on the golden picture (the arrays of transformers 5.18, PIL back end)", () => {
  const image = flavaEvalImage(noisePixels("flava-test-image", 37, 29), { size: 224, codebookSize: 112 });

  it("gives the exact pixel_values", () => {
    expect(image.pixel_values.shape).toEqual([3, 224, 224]);
    expect(sum(image.pixel_values).toFixed(6)).toBe("26570.768920");
    expect(at(image.pixel_values, 0, 0).map((v) => v.toFixed(9))).toEqual([
      "1.565375566",
      "-1.662050486",
      "1.733515143",
    ]);
    expect(at(image.pixel_values, 100, 50).map((v) => v.toFixed(9))).toEqual([
      "1.623769164",
      "-1.121770859",
      "-1.423339486",
    ]);
  });

  it("gives the exact codebook_pixel_values", () => {
    expect(image.codebook_pixel_values.shape).toEqual([3, 112, 112]);
    expect(sum(image.codebook_pixel_values).toFixed(6)).toBe("18724.091879");
    expect(at(image.codebook_pixel_values, 0, 0).map((v) => v.toFixed(9))).toEqual([
      "0.900000036",
      "0.118823528",
      "0.818431437",
    ]);
    expect(at(image.codebook_pixel_values, 100, 50).map((v) => v.toFixed(9))).toEqual([
      "0.423137248",
      "0.451372564",
      "0.583137274",
    ]);
  });
});

describe("tables", () => {
  it("turn white into what torchmultimodal's own test expects", () => {
    expect(at(toPlanes(white, normalizeTable()), 0, 0).map((v) => v.toFixed(4))).toEqual([
      "1.9303",
      "2.0749",
      "2.1459",
    ]);
    expect(at(toPlanes(white, mapPixelsTable()), 1, 1).map((v) => v.toFixed(6))).toEqual([
      "0.900000",
      "0.900000",
      "0.900000",
    ]);
  });

  it("are the same for x·(1/255) in float64 and x/255 in float32, so both references agree", () => {
    const [red] = unitTable();
    for (let byte = 0; byte < 256; byte++) expect(red[byte]).toBe(Math.fround(byte / 255));
  });

  it("follow (x − mean) / std in float64 to float32 precision", () => {
    for (const norm of [CLIP_NORM, IMAGENET_NORM]) {
      const table = normalizeTable(norm);
      for (let c = 0; c < 3; c++)
        for (const byte of [0, 1, 77, 128, 255])
          expect(table[c]![byte]).toBeCloseTo((byte / 255 - norm.mean[c]!) / norm.std[c]!, 6);
    }
  });
});

describe("toPlanes", () => {
  it("puts channels first", () => {
    const image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i) };
    const { data, shape } = toPlanes(image, unitTable());
    expect(shape).toEqual([3, 2, 3]);
    expect(Array.from(data, (v) => Math.round(v * 255))).toEqual([
      0, 3, 6, 9, 12, 15, 1, 4, 7, 10, 13, 16, 2, 5, 8, 11, 14, 17,
    ]);
  });

  it("writes into a part of a batch", () => {
    const batch = new Float32Array(24);
    const planes = toPlanes(white, unitTable(), batch.subarray(12));
    expect([...batch]).toEqual([...new Array(12).fill(0), ...new Array(12).fill(1)]);
    expect(planes.data.buffer).toBe(batch.buffer);
    expect(() => toPlanes(white, unitTable(), batch)).toThrow(ShapeError);
  });

  it("serves flavaEvalImage and clipEvalImage with the caller's arrays", () => {
    const out = { pixel_values: new Float32Array(3 * 64 * 64), codebook_pixel_values: new Float32Array(3 * 32 * 32) };
    const image = flavaEvalImage(noisePixels("out", 50, 40), { size: 64, codebookSize: 32 }, out);
    expect(image.pixel_values.data).toBe(out.pixel_values);
    expect(image.codebook_pixel_values.data).toBe(out.codebook_pixel_values);
    const clip = new Float32Array(3 * 48 * 48);
    expect(clipEvalImage(noisePixels("out", 50, 40), { size: 48 }, clip).data).toBe(clip);
  });
});
