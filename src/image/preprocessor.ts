/**
 * `preprocessor_config.json`, in and out: how Hugging Face's FlavaImageProcessor prepares pictures. Sizes are numbers in the published
 * file and `{ height, width }` in later ones; a missing key has the processor's default, which is the published value.
 */
import { ConfigError } from "../errors.ts";
import { scaledBlockMask } from "./block-mask.ts";
import type { FlavaImageOptions } from "./branches.ts";
import { CLIP_NORM, type MeanStd } from "./normalize.ts";

type Json = Readonly<Record<string, unknown>>;

/** Pillow's numbers for its filters. */
const BICUBIC = 3;
const BILINEAR = 2;
const LANCZOS = 1;

/**
 * What a preprocessor_config.json asks for. Throws ConfigError for what is no such file and for what is not computed here: sides of
 * different lengths, other filters, steps that are left out.
 */
export function imageOptionsFromJson(json: Json): FlavaImageOptions {
  if (isClip(json)) return clipOptionsFromJson(json);
  if (isEfficientNet(json)) return efficientNetOptionsFromJson(json);
  const size = sideOf(json, "size", 224);
  const codebookSize = isViT(json) ? 0 : sideOf(json, "codebook_size", 112);
  refuseOther(json, "resample", [BICUBIC], BICUBIC);
  refuseOther(json, "codebook_resample", [LANCZOS], LANCZOS);
  for (const key of [
    "do_resize",
    "do_rescale",
    "do_normalize",
    "codebook_do_resize",
    "codebook_do_rescale",
    "codebook_do_map_pixels",
  ])
    refuseOther(json, key, [true], true);
  refuseOther(json, "rescale_factor", [1 / 255, 0.00392156862745098], 1 / 255);
  const [mean, std] = [threeOf(json, "codebook_image_mean", [0, 0, 0]), threeOf(json, "codebook_image_std", [1, 1, 1])];
  if (json.codebook_do_normalize !== false && ([...mean].some((x) => x !== 0) || [...std].some((x) => x !== 1)))
    throw wrong("codebook_image_mean and codebook_image_std", "0 and 1", json.codebook_image_mean);
  return {
    size,
    codebookSize,
    ...(json.do_center_crop !== false && { cropSize: sideOf(json, "crop_size", size) }),
    ...(codebookSize > 0 &&
      json.codebook_do_center_crop !== false && {
        codebookCropSize: sideOf(json, "codebook_crop_size", codebookSize),
      }),
    norm: { mean: threeOf(json, "image_mean", CLIP_NORM.mean), std: threeOf(json, "image_std", CLIP_NORM.std) },
  };
}

/** ViT's processor: a square, and no codebook. Ours is called so where a model has none. */
const isViT = ({ image_processor_type: type, feature_extractor_type: old }: Json): boolean =>
  [type, old].some((name) => typeof name === "string" && /^ViT(Image|Feature)/.test(name));

/** CLIP's processor, of whichever version: it has no codebook, and the shorter side is what it resizes. */
const isClip = ({ image_processor_type: type, feature_extractor_type: old, codebook_size, size }: Json): boolean =>
  [type, old].some((name) => typeof name === "string" && name.startsWith("CLIP")) ||
  (codebook_size === undefined && typeof size === "object" && size !== null && "shortest_edge" in size);

function clipOptionsFromJson(json: Json): FlavaImageOptions {
  refuseOther(json, "resample", [BICUBIC], BICUBIC);
  refuseOther(json, "rescale_factor", [1 / 255, 0.00392156862745098], 1 / 255);
  for (const key of ["do_resize", "do_center_crop", "do_rescale", "do_normalize"]) refuseOther(json, key, [true], true);
  const { shortest_edge: short } = Object(json.size) as Json;
  const size = isSide(short) ? short : sideOf(json, "size", 224);
  return {
    size,
    codebookSize: 0,
    fit: "cover",
    cropSize: sideOf(json, "crop_size", size),
    norm: { mean: threeOf(json, "image_mean", CLIP_NORM.mean), std: threeOf(json, "image_std", CLIP_NORM.std) },
  };
}

/** ALIGN's processor. */
const isEfficientNet = ({ image_processor_type: type, feature_extractor_type: old }: Json): boolean =>
  [type, old].some((name) => typeof name === "string" && name.startsWith("EfficientNet"));

/** x / 127.5 − 1, which is what mean and deviation of a half make of 0..1. */
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

function efficientNetOptionsFromJson(json: Json): FlavaImageOptions {
  refuseOther(json, "resample", [BILINEAR], 0);
  refuseOther(json, "include_top", [false], true);
  for (const key of ["do_resize", "do_rescale"]) refuseOther(json, key, [true], true);
  const offset = json.rescale_offset === true;
  const factor = Number(json.rescale_factor ?? 1 / 255);
  if (Math.abs(factor * (offset ? 127.5 : 255) - 1) > 1e-9)
    throw wrong("rescale_factor", offset ? "1/127.5 with rescale_offset" : "1/255", json.rescale_factor);
  refuseOther(json, "do_normalize", [!offset], true);
  const size = sideOf(json, "size", 346);
  return {
    ...{ size, codebookSize: 0, filter: "bilinear" },
    ...(json.do_center_crop === true && { cropSize: sideOf(json, "crop_size", 289) }),
    norm: offset ? HALF : { mean: threeOf(json, "image_mean", HALF.mean), std: threeOf(json, "image_std", HALF.std) },
  };
}

const wrong = (key: string, expected: string, got: unknown): ConfigError =>
  new ConfigError(
    `preprocessor_config.json: ${key}: expected ${expected}, got ${JSON.stringify(got)}`,
    "prepare the pictures as that processor does, and give pixel_values",
  );

const isSide = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;

function sideOf(json: Json, key: string, otherwise: number): number {
  const value = json[key] ?? otherwise;
  if (isSide(value)) return value;
  const { height, width, shortest_edge: short } = Object(value) as Json;
  const side = height ?? short;
  if (isSide(side) && (width === undefined || width === side) && (short === undefined || key.includes("crop")))
    return side;
  throw wrong(key, "a side in pixels, or height and width that are the same", value);
}

function refuseOther(json: Json, key: string, known: readonly unknown[], otherwise: unknown): void {
  const value = json[key] ?? otherwise;
  if (!known.includes(value)) throw wrong(key, String(known[0]), value);
}

function threeOf(json: Json, key: string, otherwise: MeanStd["mean"]): MeanStd["mean"] {
  const value = json[key] ?? otherwise;
  const list = typeof value === "number" ? [value, value, value] : value;
  if (Array.isArray(list) && list.length === 3 && list.every((x) => typeof x === "number" && Number.isFinite(x)))
    return list as unknown as MeanStd["mean"];
  throw wrong(key, "three numbers", value);
}

/** CLIP's preprocessor_config.json, as text. */
function clipOptionsToJson({ size, cropSize = size, norm = CLIP_NORM }: FlavaImageOptions): string {
  const config = {
    image_processor_type: "CLIPImageProcessor",
    processor_class: "CLIPProcessor",
    do_convert_rgb: true,
    do_resize: true,
    size: { shortest_edge: size },
    resample: BICUBIC,
    do_center_crop: true,
    crop_size: { height: cropSize, width: cropSize },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: norm.mean,
    image_std: norm.std,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The preprocessor_config.json of a model that reads squares and has no codebook, as text. */
function vitOptionsToJson({ size, norm = CLIP_NORM }: FlavaImageOptions): string {
  const config = {
    image_processor_type: "ViTImageProcessor",
    do_resize: true,
    size: { height: size, width: size },
    resample: BICUBIC,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: norm.mean,
    image_std: norm.std,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** ALIGN's preprocessor_config.json, as text. */
function efficientNetOptionsToJson({ size, cropSize = size, norm = CLIP_NORM }: FlavaImageOptions): string {
  const square = (side: number): Json => ({ height: side, width: side });
  const config = {
    image_processor_type: "EfficientNetImageProcessor",
    processor_class: "AlignProcessor",
    do_resize: true,
    size: square(size),
    resample: BILINEAR,
    do_center_crop: true,
    crop_size: square(cropSize),
    do_rescale: true,
    rescale_factor: 1 / 255,
    rescale_offset: false,
    do_normalize: true,
    image_mean: norm.mean,
    image_std: norm.std,
    include_top: false,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The preprocessor_config.json of a model with patches of `patchSize` pixels, as text. */
export function imageOptionsToJson(options: FlavaImageOptions, patchSize: number): string {
  if (options.fit === "cover") return clipOptionsToJson(options);
  if (options.filter === "bilinear") return efficientNetOptionsToJson(options);
  if (options.codebookSize === 0) return vitOptionsToJson(options);
  const { size, codebookSize, cropSize = size, codebookCropSize = codebookSize, norm = CLIP_NORM } = options;
  const square = (side: number): Json => ({ height: side, width: side });
  const grid = cropSize / patchSize;
  const mask = scaledBlockMask(grid, grid);
  const config = {
    image_processor_type: "FlavaImageProcessor",
    feature_extractor_type: "FlavaFeatureExtractor",
    processor_class: "FlavaProcessor",
    do_resize: true,
    size: square(size),
    resample: BICUBIC,
    do_center_crop: true,
    crop_size: square(cropSize),
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: norm.mean,
    image_std: norm.std,
    return_image_mask: false,
    input_size_patches: grid,
    total_mask_patches: mask.total,
    mask_group_min_patches: mask.minBlock,
    mask_group_max_patches: null,
    mask_group_min_aspect_ratio: 0.3,
    mask_group_max_aspect_ratio: null,
    return_codebook_pixels: false,
    codebook_do_resize: true,
    codebook_size: square(codebookSize),
    codebook_resample: LANCZOS,
    codebook_do_center_crop: true,
    codebook_crop_size: square(codebookCropSize),
    codebook_do_rescale: true,
    codebook_rescale_factor: 1 / 255,
    codebook_do_map_pixels: true,
    codebook_do_normalize: true,
    codebook_image_mean: [0, 0, 0],
    codebook_image_std: [1, 1, 1],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
