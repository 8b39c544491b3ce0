/**
 * Image preprocessing as a list of small steps that prints itself: `decode|resize(224,bicubic)|center_crop(224)|normalize`
 * (after big_vision's preprocessing strings). The same list runs in Node and in the browser.
 */
import { ConfigError } from "../errors.ts";
import type { Random, Tensor } from "../tensor/index.ts";
import { type CropRounding, centerCrop, flipHorizontal, resizeShorter } from "./crop.ts";
import { type DecodeOptions, decodeImage } from "./decode.ts";
import type { Filter } from "./filters.ts";
import {
  CLIP_NORM,
  type MeanStd,
  mapPixelsTable,
  normalizeTable,
  type PixelTable,
  toPlanes,
  unitTable,
} from "./normalize.ts";
import { formatSize, heightOf, type Pixels, type Size, widthOf } from "./pixels.ts";
import { type RandomCropOptions, randomCropRegion } from "./random-crop.ts";
import { cropResize, resize } from "./resize.ts";

/** Pixels to pixels. `label` is how the step prints. */
export interface ImageStep {
  readonly label: string;
  readonly apply: (image: Pixels, rng: Random) => Pixels;
}

/** The last step: bytes to floats, by table. */
export interface ToFloatStep {
  readonly label: string;
  readonly table: PixelTable;
}

export interface ImagePipeline {
  /** Decodes and runs all steps. Errors are decodeImage's. */
  run(bytes: Uint8Array, options?: DecodeOptions, rng?: Random): Promise<Tensor<"float32">>;
  /** Runs the steps on decoded pixels: (3, height, width). */
  apply(image: Pixels, rng?: Random): Tensor<"float32">;
  toString(): string;
}

/** Steps run left to right, then `finish`. A step that draws throws ConfigError when no `rng` was given. */
export function imagePipeline(steps: readonly ImageStep[], finish: ToFloatStep): ImagePipeline {
  const apply = (image: Pixels, rng: Random = NO_RANDOM): Tensor<"float32"> =>
    toPlanes(
      steps.reduce((picture, step) => step.apply(picture, rng), image),
      finish.table,
    );
  return {
    run: async (bytes, options, rng) => apply(await decodeImage(bytes, options), rng),
    apply,
    toString: () => ["decode", ...steps.map((step) => step.label), finish.label].join("|"),
  };
}

/** To exactly this size, aspect ratio not kept. */
export const resizeStep = (size: Size, filter: Filter): ImageStep => ({
  label: `resize(${formatSize(size)},${filter})`,
  apply: (image) => resize(image, widthOf(size), heightOf(size), filter),
});

/** Shorter side to `side`. */
export const resizeShorterStep = (side: number, filter: Filter): ImageStep => ({
  label: `resize_shorter(${side},${filter})`,
  apply: (image) => resizeShorter(image, side, filter),
});

export const centerCropStep = (size: Size, rounding: CropRounding = "floor"): ImageStep => ({
  label: `center_crop(${formatSize(size)}${rounding === "floor" ? "" : `,${rounding}`})`,
  apply: (image) => centerCrop(image, size, rounding),
});

/** torchvision's RandomResizedCrop: cut, then resized. */
export const randomResizedCropStep = (size: Size, filter: Filter, options: RandomCropOptions): ImageStep => ({
  label: `random_resized_crop(${formatSize(size)},${filter},${options.scale.join("-")})`,
  apply: (image, rng) =>
    cropResize(image, randomCropRegion(image.width, image.height, options, rng), widthOf(size), heightOf(size), filter),
});

export const flipStep = (probability: number): ImageStep => ({
  label: `flip(${probability})`,
  apply: (image, rng) => (rng.uniform() < probability ? flipHorizontal(image) : image),
});

/** (x − mean) / std; CLIP's prints as plain `normalize`. */
export const normalizeStep = (norm: MeanStd = CLIP_NORM): ToFloatStep => ({
  label: norm === CLIP_NORM ? "normalize" : `normalize(${norm.mean.join(" ")},${norm.std.join(" ")})`,
  table: normalizeTable(norm),
});

/** 0.8·x + 0.1, for the dVAE. */
export const mapPixelsStep = (): ToFloatStep => ({ label: "map_pixels", table: mapPixelsTable() });

/** x in 0..1. */
export const unitStep = (): ToFloatStep => ({ label: "unit", table: unitTable() });

const refuse = (): never => {
  throw new ConfigError(
    "imagePipeline: expected an rng for a step that draws, got none",
    "pass random(seed, purpose, step, sample)",
  );
};
const NO_RANDOM: Random = { bits: refuse, uniform: refuse, integer: refuse, normal: refuse };
