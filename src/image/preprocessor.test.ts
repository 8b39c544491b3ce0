import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { imageOptionsFromJson, imageOptionsToJson } from "./index.ts";
import { CLIP_NORM } from "./normalize.ts";

/** The published file (facebook/flava-full). */
const PUBLISHED = {
  size: 224,
  crop_size: 224,
  resample: 3,
  do_resize: true,
  do_center_crop: true,
  do_normalize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  codebook_size: 112,
  codebook_crop_size: 112,
  codebook_resample: 1,
  codebook_do_resize: true,
  codebook_do_center_crop: true,
  codebook_do_map_pixels: true,
  codebook_do_normalize: true,
  codebook_image_mean: [0, 0, 0],
  codebook_image_std: [1, 1, 1],
  input_size_patches: 14,
  total_mask_patches: 75,
  mask_group_min_patches: 16,
  mask_group_max_patches: null,
  mask_group_min_aspect_ratio: 0.3,
  mask_group_max_aspect_ratio: null,
  feature_extractor_type: "FlavaFeatureExtractor",
  processor_class: "FlavaProcessor",
};
const base = { size: 224, codebookSize: 112, cropSize: 224, codebookCropSize: 112, norm: CLIP_NORM };

describe("preprocessor_config.json", () => {
  it("of a model that reads squares and has no codebook is ViT's, and comes back as it was", () => {
    const options = { size: 48, codebookSize: 0, norm: CLIP_NORM };
    const written = JSON.parse(imageOptionsToJson(options, 8)) as Record<string, unknown>;
    expect(written).toMatchObject({
      image_processor_type: "ViTImageProcessor",
      size: { height: 48, width: 48 },
      resample: 3,
    });
    expect(imageOptionsFromJson(written)).toEqual({ ...options, cropSize: 48 });
  });
  it("of ALIGN is read with its offset, its filter and its crop, and written as mean and deviation", () => {
    const published = {
      image_processor_type: "EfficientNetImageProcessor",
      ...{
        size: { height: 346, width: 346 },
        resample: 2,
        do_center_crop: true,
        crop_size: { height: 289, width: 289 },
      },
      ...{ rescale_factor: 1 / 127.5, rescale_offset: true, do_normalize: false, include_top: false },
    };
    const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    const options = { size: 346, codebookSize: 0, filter: "bilinear", cropSize: 289, norm: half };
    expect(imageOptionsFromJson(published)).toEqual(options);
    expect(imageOptionsFromJson(JSON.parse(imageOptionsToJson(imageOptionsFromJson(published), 32)))).toEqual(options);
    for (const [key, value] of [
      ["resample", 3],
      ["include_top", true],
      ["rescale_factor", 1 / 255],
      ["do_normalize", true],
    ] as const)
      expect(() => imageOptionsFromJson({ ...published, [key]: value }), key).toThrow(ConfigError);
  });
  it("is read in its old form and in its new one, and has the published values where it says nothing", () => {
    expect(imageOptionsFromJson(PUBLISHED)).toEqual(base);
    const square = (side: number) => ({ height: side, width: side });
    const newer = {
      ...PUBLISHED,
      size: square(224),
      crop_size: square(224),
      codebook_size: square(112),
      rescale_factor: 0.00392156862745098,
    };
    expect(imageOptionsFromJson(newer)).toEqual(base);
    expect(imageOptionsFromJson({})).toEqual(base);
    expect(imageOptionsFromJson({ size: 256, do_center_crop: false, codebook_do_center_crop: false })).toEqual({
      size: 256,
      codebookSize: 112,
      norm: CLIP_NORM,
    });
  });

  it("is written with every value of the published one, and read back", () => {
    const written = JSON.parse(imageOptionsToJson({ size: 224, codebookSize: 112 }, 16));
    for (const [key, value] of Object.entries(PUBLISHED))
      expect(written[key], key).toEqual(/(^|_)size$/.test(key) ? { height: value, width: value } : value);
    expect(imageOptionsFromJson(written)).toEqual(base);
    const small = { size: 48, codebookSize: 24, norm: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } } as const;
    expect(imageOptionsFromJson(JSON.parse(imageOptionsToJson(small, 8)))).toEqual({
      ...small,
      cropSize: 48,
      codebookCropSize: 24,
    });
  });

  it("reads and writes CLIP's: the shorter side, the middle, no codebook", () => {
    const clip = { size: 224, cropSize: 224, codebookSize: 0, fit: "cover", norm: CLIP_NORM };
    expect(imageOptionsFromJson({ size: { shortest_edge: 224 }, crop_size: { height: 224, width: 224 } })).toEqual(
      clip,
    );
    expect(imageOptionsFromJson({ feature_extractor_type: "CLIPFeatureExtractor", size: 224, crop_size: 224 })).toEqual(
      clip,
    );
    const written = JSON.parse(imageOptionsToJson({ size: 48, codebookSize: 0, fit: "cover" }, 8));
    expect(imageOptionsFromJson(written)).toEqual({ ...clip, size: 48, cropSize: 48 });
  });

  it.each([
    [
      { size: { height: 224, width: 448 } },
      /size: expected a side in pixels, or height and width that are the same, got \{"height":224/,
    ],
    [{ size: { shortest_edge: 224 }, codebook_size: 112 }, /size: expected/],
    [{ image_processor_type: "CLIPImageProcessor", do_center_crop: false }, /do_center_crop/],
    [{ size: "large" }, /size: expected/],
    [{ resample: 2 }, /resample: expected 3, got 2/],
    [{ do_normalize: false }, /do_normalize: expected true, got false/],
    [{ codebook_do_map_pixels: false }, /codebook_do_map_pixels/],
    [{ image_mean: [0.5, 0.5] }, /image_mean: expected three numbers/],
    [{ rescale_factor: 1 }, /rescale_factor/],
  ])("%j is refused, as such pictures are not made here", (json, reason) => {
    expect(() => imageOptionsFromJson(json)).toThrow(ConfigError);
    expect(() => imageOptionsFromJson(json)).toThrow(reason);
  });
});
