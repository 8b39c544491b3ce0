/**
 * One picture to FLAVA's two image inputs: `pixel_values` for the image encoder and `codebook_pixel_values` for the dVAE that makes the
 * targets. Inference as in Hugging Face's FlavaImageProcessor (PIL back end), training as in torchmultimodal's flava_transform.py.
 */
import type { Random, Tensor } from "../tensor/index.ts";
import { centerCrop, flipHorizontal, resizeShorter } from "./crop.ts";
import { CLIP_NORM, type MeanStd, mapPixelsTable, normalizeTable, type PixelTable, toPlanes } from "./normalize.ts";
import type { Pixels } from "./pixels.ts";
import { type RandomCropOptions, randomCropRegion } from "./random-crop.ts";
import { type FirstPass, type ResizeTarget, resize, resizeEach } from "./resize.ts";

export interface FlavaImageOptions {
  /** Side of `pixel_values`: 224 for the published model. */
  readonly size: number;
  /** Side of `codebook_pixel_values`: 112 for the published model; 0: none are made. */
  readonly codebookSize: number;
  /** Sides of the centre crops after resizing (inference only). Default: no crop. */
  readonly cropSize?: number;
  readonly codebookCropSize?: number;
  /**
   * How a whole picture becomes a square. Default "stretch". "cover", as CLIP does: its shorter side becomes `size`, and the middle is cut
   * out; then there are no `codebook_pixel_values`.
   */
  readonly fit?: "stretch" | "cover" | undefined;
  /** How `pixel_values` are resized. Default "bicubic"; "bilinear" is ALIGN's. */
  readonly filter?: "bicubic" | "bilinear" | undefined;
  /** Default CLIP_NORM. */
  readonly norm?: MeanStd;
  /** Order of the passes of both resizes. Default `horizontal`, as Pillow ≤ 12 and so the released models. */
  readonly firstPass?: FirstPass;
  /** "original": the codebook image is resized from the picture, as Hugging Face does. "resized": from the `size` image, as torchmultimodal. */
  readonly codebookFrom?: "original" | "resized";
}

export interface FlavaTrainOptions extends Omit<FlavaImageOptions, "cropSize" | "codebookCropSize" | "codebookFrom"> {
  /** Default scale 0.9–1, ratio 3/4–4/3. */
  readonly crop?: RandomCropOptions;
  /** Probability of mirroring both images. Default 0: captions may say left and right. */
  readonly flip?: number;
}

export interface FlavaImage {
  /** (3, size, size), normalised. */
  readonly pixel_values: Tensor<"float32">;
  /** (3, codebookSize, codebookSize), in 0.1..0.9. */
  readonly codebook_pixel_values: Tensor<"float32">;
}

/** Where the numbers go, when they are to be written into a batch: arrays of exactly the two tensors' sizes. */
export interface FlavaImageOut {
  readonly pixel_values: Float32Array;
  readonly codebook_pixel_values: Float32Array;
}

/** Both inputs of a whole picture, its aspect ratio not kept: bicubic for the model unless said, Lanczos for the codebook. */
export function flavaEvalImage(image: Pixels, options: FlavaImageOptions, out?: FlavaImageOut): FlavaImage {
  const { size, codebookSize, cropSize = size, codebookCropSize = codebookSize, codebookFrom = "original" } = options;
  const { firstPass, filter = "bicubic" } = options;
  const targets = branchTargets(options);
  if (options.fit === "cover") {
    const square = centerCrop(resizeShorter(image, size, filter, { firstPass }), cropSize, "even");
    return toTensors(square, undefined, options.norm, out);
  }
  const [whole, fromOriginal] = resizeEach(image, codebookFrom === "original" ? targets : targets.slice(0, 1));
  const model = centerCrop(whole!, cropSize);
  if (codebookSize === 0) return toTensors(model, undefined, options.norm, out);
  const codebook = fromOriginal ?? resize(model, codebookSize, codebookSize, "lanczos", { firstPass });
  return toTensors(model, centerCrop(codebook, codebookCropSize), options.norm, out);
}

/**
 * Both inputs of one random resized crop: the same region, cut once, resized twice. Draws: the crop's (randomCropRegion), then one for the
 * flip if `flip` > 0.
 */
export function flavaTrainImage(
  image: Pixels,
  options: FlavaTrainOptions,
  rng: Random,
  out?: FlavaImageOut,
): FlavaImage {
  const { crop = { scale: [0.9, 1] }, flip = 0 } = options;
  const region = randomCropRegion(image.width, image.height, crop, rng);
  const turn = flip > 0 && rng.uniform() < flip ? flipHorizontal : (same: Pixels): Pixels => same;
  const [model, codebook] = resizeEach(image, branchTargets(options), region);
  return toTensors(turn(model!), codebook && turn(codebook), options.norm, out);
}

const branchTargets = ({
  size,
  codebookSize,
  filter = "bicubic",
  firstPass,
}: Pick<FlavaImageOptions, "size" | "codebookSize" | "filter" | "firstPass">): ResizeTarget[] => [
  { width: size, height: size, filter, firstPass },
  ...(codebookSize === 0 ? [] : [{ width: codebookSize, height: codebookSize, filter: "lanczos" as const, firstPass }]),
];

export interface ClipImageOptions {
  readonly size: number;
  /** Default CLIP_NORM. */
  readonly norm?: MeanStd;
  /** Default `horizontal`, as Pillow ≤ 12. */
  readonly firstPass?: FirstPass;
}

/** CLIP's evaluation image, which linear probes use: shorter side to `size` (bicubic), centre crop, normalise. (3, size, size). */
export function clipEvalImage(
  image: Pixels,
  { size, norm, firstPass }: ClipImageOptions,
  out?: Float32Array,
): Tensor<"float32"> {
  return toPlanes(centerCrop(resizeShorter(image, size, "bicubic", { firstPass }), size, "even"), tableOf(norm), out);
}

function toTensors(
  model: Pixels,
  codebook: Pixels | undefined,
  norm: MeanStd | undefined,
  out: FlavaImageOut | undefined,
): FlavaImage {
  return {
    pixel_values: toPlanes(model, tableOf(norm), out?.pixel_values),
    codebook_pixel_values: codebook
      ? toPlanes(codebook, CODEBOOK, out?.codebook_pixel_values)
      : { dtype: "float32", shape: [3, 0, 0], data: new Float32Array(0) },
  };
}

const CODEBOOK = mapPixelsTable();
const CLIP = normalizeTable(CLIP_NORM);
const tables = new WeakMap<MeanStd, PixelTable>([[CLIP_NORM, CLIP]]);

/** The table of a normalisation, made once for each options object. */
function tableOf(norm: MeanStd = CLIP_NORM): PixelTable {
  const known = tables.get(norm);
  if (known) return known;
  const table = normalizeTable(norm);
  tables.set(norm, table);
  return table;
}
