/** How a model's pictures are prepared: as its preprocessor_config.json says, else at the model's own sizes. */
import { ConfigError } from "../errors.ts";
import { type FlavaImageOptions, imageOptionsFromJson } from "../image/index.ts";
import type { PictureSizes } from "../models/index.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * `imageSize` stands for the model's own size where it is given. Throws ConfigError for what is not computed here, for a picture that is
 * not the model's size, and for sides that are no whole patches.
 */
export function imageOptions(
  where: string,
  json: Readonly<Record<string, unknown>> | undefined,
  pictures: PictureSizes,
  imageSize?: number | undefined,
): FlavaImageOptions {
  const { size, codebookSize, patchSize, fit } = pictures;
  const said = json ? imageOptionsFromJson(json) : { size, codebookSize, ...(fit && { fit }) };
  if (imageSize === undefined) {
    const { cropSize = said.size } = said as FlavaImageOptions;
    if (cropSize === size) return said;
    throw new ConfigError(`${where}: preprocessor_config.json: expected pictures of ${size} pixels, got ${cropSize}`);
  }
  if (!(imageSize >= patchSize && imageSize % patchSize === 0))
    throw new ConfigError(`imageSize: expected whole patches of ${patchSize} pixels, got ${imageSize}`);
  return { ...said, size: imageSize, cropSize: imageSize };
}

/** Pillow's numbers of filters. */
const FILTERS: Readonly<Record<string, number>> = { bicubic: 3, bilinear: 2 };
const LATER = "prepare the pictures outside, or take another repository of the model";

/**
 * How pictures are prepared by an open_clip_config.json, as a preprocessor_config.json says it (open_clip, transform.py: PreprocessCfg);
 * undefined for another's config. Throws ConfigError for a way that is not computed here.
 */
export function openClipPreprocessor(config: Json): Json | undefined {
  const { model_cfg, preprocess_cfg: said = {} } = config as {
    readonly model_cfg?: Json;
    readonly preprocess_cfg?: Json;
  };
  const side = [(model_cfg?.vision_cfg as Json | undefined)?.image_size ?? 224].flat()[0];
  if (!model_cfg?.vision_cfg) return undefined;
  const { mean, std, interpolation = "bicubic", resize_mode = "shortest" } = said;
  const resample = FILTERS[interpolation as string];
  if (resample === undefined || (resize_mode !== "shortest" && resize_mode !== "squash"))
    throw new ConfigError(
      `open_clip_config.json: preprocess_cfg: expected bicubic and shortest or squash, got ${interpolation} and ${resize_mode}`,
      LATER,
    );
  const square = { height: side, width: side };
  return {
    image_processor_type: resize_mode === "squash" ? "ViTImageProcessor" : "CLIPImageProcessor",
    ...{ size: resize_mode === "squash" ? square : { shortest_edge: side }, crop_size: square, resample },
    ...(mean !== undefined && { image_mean: mean }),
    ...(std !== undefined && { image_std: std }),
  };
}
