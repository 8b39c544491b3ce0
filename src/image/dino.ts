/** DINO's multi-crop views (arXiv:2104.14294 §3.1; facebookresearch/dino, DataAugmentationDINO in main_dino.py). */
import type { Random, Tensor } from "../tensor/index.ts";
import { gaussianBlur } from "./blur.ts";
import { greyscale, solarize } from "./colour.ts";
import { flipHorizontal } from "./crop.ts";
import { colourJitter, type JitterOptions } from "./jitter.ts";
import { IMAGENET_NORM, type MeanStd, normalizeTable, toPlanes } from "./normalize.ts";
import type { Pixels } from "./pixels.ts";
import { randomCropRegion } from "./random-crop.ts";
import { cropResize } from "./resize.ts";

/** How one view is made. Probabilities lie in 0..1. */
export interface DinoViewOptions {
  readonly size: number;
  /** Bounds of the crop's share of the area. */
  readonly scale: readonly [min: number, max: number];
  readonly flip: number;
  readonly jitter: JitterOptions;
  readonly jitterProbability: number;
  readonly grey: number;
  /** Probability of a Gaussian blur and the bounds of its radius (standard deviation in pixels of the view). */
  readonly blur: number;
  readonly blurRadius: readonly [min: number, max: number];
  readonly solarize: number;
}

export interface DinoOptions {
  /** The views in order; the teacher sees the first two. */
  readonly views: readonly DinoViewOptions[];
  /** Default IMAGENET_NORM. */
  readonly norm?: MeanStd;
}

export interface DinoSizes {
  /** Sides of the two global and of the local views. 224 and 96 in the paper. */
  readonly globalSize: number;
  readonly localSize: number;
  /** Default 8. */
  readonly localCrops?: number;
  /** Default 0.4–1 and 0.05–0.4. The released ViT-B/16 used 0.25–1 and 0.05–0.25 with ten local crops. */
  readonly globalScale?: readonly [min: number, max: number];
  readonly localScale?: readonly [min: number, max: number];
}

/** DINO's recipe for any sizes: blur with probability 1, 0.1 and 0.5 (local), solarise 0.2 on the second global view. */
export function dinoOptions(sizes: DinoSizes): DinoOptions {
  const { globalSize, localSize, localCrops = 8, globalScale = [0.4, 1], localScale = [0.05, 0.4] } = sizes;
  const common = {
    flip: 0.5,
    jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 },
    jitterProbability: 0.8,
    grey: 0.2,
    blurRadius: [0.1, 2],
  } as const;
  const first = { ...common, size: globalSize, scale: globalScale, blur: 1, solarize: 0 };
  const second = { ...common, size: globalSize, scale: globalScale, blur: 0.1, solarize: 0.2 };
  const local = { ...common, size: localSize, scale: localScale, blur: 0.5, solarize: 0 };
  return { views: [first, second, ...Array.from({ length: localCrops }, () => local)] };
}

/**
 * One view. Draws in order: the crop's, flip, whether to jitter and if so the jitter's, grey, blur and if so its radius, solarise. An effect
 * with probability 0 or 1 draws all the same.
 */
export function dinoView(image: Pixels, options: DinoViewOptions, rng: Random): Pixels {
  const { size, scale, blurRadius } = options;
  const region = randomCropRegion(image.width, image.height, { scale }, rng);
  let view = cropResize(image, region, size, size, "bicubic");
  if (rng.uniform() < options.flip) view = flipHorizontal(view);
  if (rng.uniform() < options.jitterProbability) view = colourJitter(view, options.jitter, rng);
  if (rng.uniform() < options.grey) view = greyscale(view);
  if (rng.uniform() < options.blur)
    view = gaussianBlur(view, blurRadius[0] + (blurRadius[1] - blurRadius[0]) * rng.uniform());
  if (rng.uniform() < options.solarize) view = solarize(view);
  return view;
}

/** All views of one picture, in the order of `options.views`, each (3, size, size) and normalised. */
export function dinoViews(
  image: Pixels,
  { views, norm = IMAGENET_NORM }: DinoOptions,
  rng: Random,
): Tensor<"float32">[] {
  const table = normalizeTable(norm);
  return views.map((view) => toPlanes(dinoView(image, view, rng), table));
}
