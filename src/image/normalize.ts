/** Bytes to the float planes that the models read: one table look-up a byte, channels first. */
import { ShapeError } from "../errors.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import type { Pixels } from "./pixels.ts";
import { simdPlanes } from "./wasm/planes.ts";

export interface MeanStd {
  /** Per channel, of values in 0..1. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** CLIP's, which FLAVA uses. */
export const CLIP_NORM: MeanStd = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
/** ImageNet's, which DINO uses. */
export const IMAGENET_NORM: MeanStd = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** Inception's, which BEiT uses. */
export const INCEPTION_NORM: MeanStd = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** The logit-Laplace margin of the dVAE: pixels are squeezed into 0.1..0.9. */
export const LOGIT_LAPLACE_EPS = 0.1;

/** For each channel the 256 values that its bytes become. */
export type PixelTable = readonly [Float32Array, Float32Array, Float32Array];

const f32 = Math.fround;
/** A byte in 0..1: the product in float64, kept as float32. Dividing by 255 in float32, as torchvision does, gives the same 256 numbers. */
const unit = (byte: number): number => f32(byte * (1 / 255));

/** (x − mean) / std, each step in float32: Hugging Face's and torchvision's arithmetic, to the bit. */
export function normalizeTable({ mean, std }: MeanStd = CLIP_NORM): PixelTable {
  return channels((byte, c) => f32(f32(unit(byte) - f32(mean[c]!)) / f32(std[c]!)));
}

/** 0.8·x + 0.1 in float32, the dVAE's `map_pixels` (DALL·E's utils.py; Hugging Face's FLAVA codebook branch). */
export function mapPixelsTable(): PixelTable {
  const scale = f32(1 - 2 * LOGIT_LAPLACE_EPS);
  return channels((byte) => f32(f32(scale * unit(byte)) + f32(LOGIT_LAPLACE_EPS)));
}

/** x in 0..1, unnormalised. */
export const unitTable = (): PixelTable => channels(unit);

function channels(value: (byte: number, channel: number) => number): PixelTable {
  const one = (c: number): Float32Array => Float32Array.from({ length: 256 }, (_, byte) => value(byte, c));
  return [one(0), one(1), one(2)];
}

/**
 * The picture as (3, height, width) float32. With `out` the numbers are written there, for instance into one image's part of a batch, and
 * the tensor shares it. Throws ShapeError when `out` has another length.
 */
export function toPlanes({ width, height, data }: Pixels, table: PixelTable, out?: Float32Array): Tensor<"float32"> {
  const plane = width * height;
  const planes = out ?? new Float32Array(plane * 3);
  if (planes.length !== plane * 3)
    throw new ShapeError(
      `toPlanes: expected room for (3, ${height}, ${width}) = ${plane * 3} numbers, got ${planes.length}`,
    );
  if (!simdPlanes(data, table, planes)) plainPlanes(data, table, planes);
  return tensor("float32", [3, height, width], planes);
}

/** What the kernel computes, in plain TypeScript. */
function plainPlanes(data: Uint8Array, [red, green, blue]: PixelTable, planes: Float32Array): void {
  const plane = planes.length / 3;
  for (let i = 0, p = 0; i < plane; i++, p += 3) {
    planes[i] = red[data[p]!]!;
    planes[plane + i] = green[data[p + 1]!]!;
    planes[2 * plane + i] = blue[data[p + 2]!]!;
  }
}
