/** A picture and a caption through the processor, against Hugging Face's FlavaProcessor (transformers 5.18, PIL). */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { fnv1a } from "../tensor/index.ts";
import { loadBertTokenizer } from "../text/load.node.ts";
import { createProcessor } from "./processor.ts";

/** The noise that the reference's picture is made of. */
function noise(width: number, height: number) {
  let x = fnv1a("flava-test-image");
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    return x >>> 24;
  });
  return { width, height, data };
}

const sum = (data: Float32Array): number => data.reduce((a, b) => a + b, 0);

describe("the processor of the published model", async () => {
  const processor = createProcessor({
    tokenizer: await loadBertTokenizer(),
    maxLength: 512,
    image: { size: 224, codebookSize: 112 },
  });

  it("gives the reference's pixels", async () => {
    const { pixel_values, codebook_pixel_values } = await processor.images([noise(37, 29)]);
    const at = (data: Float32Array, side: number, row: number, column: number): number[] =>
      [0, 1, 2].map((c) => data[(c * side + row) * side + column]!);
    expect(sum(pixel_values.data)).toBeCloseTo(26570.76892, 5);
    expect(at(pixel_values.data, 224, 0, 0)).toBeAllclose([1.565375566, -1.662050486, 1.733515143], { atol: 1e-8 });
    expect(at(pixel_values.data, 224, 100, 50)).toBeAllclose([1.623769164, -1.121770859, -1.423339486], { atol: 1e-8 });
    expect(sum(codebook_pixel_values.data)).toBeCloseTo(18724.091879, 5);
    expect(at(codebook_pixel_values.data, 112, 100, 50)).toBeAllclose([0.423137248, 0.451372564, 0.583137274], {
      atol: 1e-8,
    });
  });

  it("turns pictures as their EXIF orientation asks where that is wanted", async () => {
    const { data, width, height } = noise(37, 29);
    const raw = { width, height, channels: 3 } as const;
    const turned = await sharp(data, { raw }).withMetadata({ orientation: 6 }).png().toBuffer();
    const upright = await sharp(data, { raw }).rotate(90).png().toBuffer();
    const turning = createProcessor({ maxLength: 0, image: { size: 64, codebookSize: 0 }, applyOrientation: true });
    const [expected, found, asked] = await Promise.all([
      turning.images([upright]),
      turning.images([turned]),
      turning.images([turned], { applyOrientation: false }),
    ]);
    expect(found.pixel_values).toEqual(expected.pixel_values);
    expect(asked.pixel_values).not.toEqual(expected.pixel_values);
  });

  it("gives the reference's ids: [CLS] 101, [SEP] 102, padding 0", async () => {
    const { input_ids, attention_mask } = await processor({ text: ["a photo of a cat", "a photo of two cats."] });
    expect([...input_ids!.data]).toEqual([
      101, 1037, 6302, 1997, 1037, 4937, 102, 0, 101, 1037, 6302, 1997, 2048, 8870, 1012, 102,
    ]);
    expect([...attention_mask!.data].slice(5, 9)).toEqual([1, 1, 0, 1]);
    const padded = processor.texts(["", "a cat"], { padding: "max_length", maxLength: 77 });
    expect([padded.input_ids.shape, [...padded.input_ids.data.slice(0, 3)]]).toEqual([
      [2, 77],
      [101, 102, 0],
    ]);
  });
});
