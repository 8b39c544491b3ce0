import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { imageOptions, openClipPreprocessor } from "./preprocessor.ts";

const pictures = { channels: 3, size: 64, codebookSize: 0, grid: 2, patchSize: 32, words: 0, fit: "cover" } as const;
const config = { model_cfg: { vision_cfg: { image_size: 64 } } };

describe("open_clip's preprocess_cfg", () => {
  it("is read as a preprocessor_config.json: the middle, with its own mean and deviation", () => {
    const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    const said = openClipPreprocessor({ ...config, preprocess_cfg: { ...half, interpolation: "bicubic", size: 64 } });
    expect(imageOptions("x", said, pictures)).toEqual({
      size: 64,
      cropSize: 64,
      codebookSize: 0,
      fit: "cover",
      norm: half,
    });
    expect(imageOptions("x", openClipPreprocessor(config), pictures).norm?.mean[0]).toBe(0.48145466);
  });
  it("stretches where it squashes", () => {
    const said = openClipPreprocessor({ ...config, preprocess_cfg: { resize_mode: "squash" } });
    expect(imageOptions("x", said, pictures).fit).toBeUndefined();
  });
  it("is none of another's config, and refuses what is not computed here", () => {
    expect(openClipPreprocessor({ model_type: "clip" })).toBeUndefined();
    for (const preprocess_cfg of [{ resize_mode: "longest" }, { interpolation: "random" }])
      expect(() => openClipPreprocessor({ ...config, preprocess_cfg })).toThrow(ConfigError);
  });
});
