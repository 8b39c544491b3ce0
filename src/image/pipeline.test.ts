import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { noisePixels } from "../../test/golden/image/pictures.ts";
import { ConfigError, DataError } from "../errors.ts";
import { random } from "../tensor/index.ts";
import {
  CLIP_NORM,
  centerCropStep,
  clipEvalImage,
  flavaEvalImage,
  flavaTrainImage,
  flipStep,
  IMAGENET_NORM,
  imagePipeline,
  mapPixelsStep,
  normalizeStep,
  randomResizedCropStep,
  resizeShorterStep,
  resizeStep,
  unitStep,
} from "./index.ts";

const image = noisePixels("pipeline", 60, 45);
const hf = imagePipeline([resizeStep(224, "bicubic"), centerCropStep(224)], normalizeStep());

describe("imagePipeline", () => {
  it("prints itself", () => {
    expect(`${hf}`).toBe("decode|resize(224,bicubic)|center_crop(224)|normalize");
    expect(`${imagePipeline([resizeStep({ width: 320, height: 240 }, "lanczos")], mapPixelsStep())}`).toBe(
      "decode|resize(320x240,lanczos)|map_pixels",
    );
    const clip = imagePipeline(
      [resizeShorterStep(224, "bicubic"), centerCropStep(224, "even")],
      normalizeStep(IMAGENET_NORM),
    );
    expect(`${clip}`).toBe(
      "decode|resize_shorter(224,bicubic)|center_crop(224,even)|normalize(0.485 0.456 0.406,0.229 0.224 0.225)",
    );
    const train = imagePipeline([randomResizedCropStep(64, "bicubic", { scale: [0.9, 1] }), flipStep(0.5)], unitStep());
    expect(`${train}`).toBe("decode|random_resized_crop(64,bicubic,0.9-1)|flip(0.5)|unit");
    expect(normalizeStep(CLIP_NORM).label).toBe("normalize");
  });

  it("gives what the branch functions give", async () => {
    const png = await sharp(image.data, { raw: { width: 60, height: 45, channels: 3 } })
      .png()
      .toBuffer();
    const made = flavaEvalImage(image, { size: 48, codebookSize: 24 });
    const model = imagePipeline([resizeStep(48, "bicubic"), centerCropStep(48)], normalizeStep());
    expect(await model.run(png)).toEqual(made.pixel_values);
    expect(model.apply(image)).toEqual(made.pixel_values);
    expect(imagePipeline([resizeStep(24, "lanczos"), centerCropStep(24)], mapPixelsStep()).apply(image)).toEqual(
      made.codebook_pixel_values,
    );
    const clip = imagePipeline([resizeShorterStep(32, "bicubic"), centerCropStep(32, "even")], normalizeStep());
    expect(clip.apply(image)).toEqual(clipEvalImage(image, { size: 32 }));
    const train = imagePipeline(
      [randomResizedCropStep(48, "bicubic", { scale: [0.9, 1] }), flipStep(0.5)],
      normalizeStep(),
    );
    const reference = flavaTrainImage(image, { size: 48, codebookSize: 24, flip: 0.5 }, random(4, "train"));
    expect(train.apply(image, random(4, "train"))).toEqual(reference.pixel_values);
  });

  it("names the sample when decoding fails, and asks for an rng where it draws", async () => {
    await expect(hf.run(new Uint8Array(5), { key: "a/b.png" })).rejects.toThrow(DataError);
    await expect(hf.run(new Uint8Array(5), { key: "a/b.png" })).rejects.toThrow("a/b.png");
    expect(() => imagePipeline([flipStep(0.5)], unitStep()).apply(image)).toThrow(ConfigError);
  });
});
