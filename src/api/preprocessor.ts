/** `preprocessor_config.json` of Hugging Face's FLAVA image processor → how pictures are prepared here. */
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import type { FlavaImageOptions } from "../image/index.ts";
import type { PictureSizes } from "../models/index.ts";

/** A side as a number, or both sides by name. */
const side = z
  .union([z.int().positive(), z.looseObject({ height: z.int().positive(), width: z.int().positive() })])
  .optional();
const three = z.tuple([z.number(), z.number(), z.number()]).optional();
const yes = z.literal(true).optional();

/** What is computed otherwise is refused: other filters, pictures that are not resized or not normalised. */
const schema = z.looseObject({
  size: side,
  crop_size: side,
  do_resize: yes,
  resample: z.literal(3, { error: "only 3, bicubic" }).optional(),
  do_center_crop: z.boolean().optional(),
  do_rescale: yes,
  do_normalize: yes,
  image_mean: three,
  image_std: three,
  codebook_size: side,
  codebook_crop_size: side,
  codebook_do_resize: yes,
  codebook_resample: z.literal(1, { error: "only 1, Lanczos" }).optional(),
  codebook_do_center_crop: z.boolean().optional(),
  codebook_do_map_pixels: yes,
});

/**
 * The sizes and the normalisation that a model's file says, else those of the model. `imageSize` stands for both the resized and the
 * cropped side. Throws ConfigError for what is not computed here.
 */
export function imageOptions(
  where: string,
  json: unknown,
  pictures: PictureSizes,
  imageSize: number | undefined,
): FlavaImageOptions {
  const parsed = schema.safeParse(json ?? {});
  if (!parsed.success) throw new ConfigError(`${where}: preprocessor_config.json:\n${z.prettifyError(parsed.error)}`);
  const said = parsed.data;
  const of = (name: "size" | "crop_size" | "codebook_size" | "codebook_crop_size", otherwise: number): number => {
    const value = said[name];
    if (value === undefined || typeof value === "number") return value ?? otherwise;
    if (value.height === value.width) return value.height;
    throw new ConfigError(
      `${where}: preprocessor_config.json: ${name}: expected a square, got ${value.height} × ${value.width}`,
    );
  };
  const size = imageSize ?? of("size", pictures.size);
  const cropSize = imageSize ?? (said.do_center_crop === false ? size : of("crop_size", size));
  const expected = imageSize ?? pictures.size;
  if (cropSize !== expected)
    throw new ConfigError(
      `${where}: preprocessor_config.json: expected pictures of ${expected} pixels, got ${cropSize}`,
    );
  const codebookSize = of("codebook_size", pictures.codebookSize);
  return {
    size,
    cropSize,
    codebookSize,
    codebookCropSize: said.codebook_do_center_crop === false ? codebookSize : of("codebook_crop_size", codebookSize),
    ...(said.image_mean && said.image_std && { norm: { mean: said.image_mean, std: said.image_std } }),
  };
}
