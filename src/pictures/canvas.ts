/** Small pictures to look at: floats to bytes, patches put over patches. Runs in browsers too. */

import { ShapeError } from "../errors.ts";
import { CLIP_NORM, LOGIT_LAPLACE_EPS, type Pixels, pixels } from "../image/index.ts";
import { formatShape, type Tensor } from "../tensor/index.ts";

/** The byte of a channel's value, before rounding. */
type ToByte = (value: number, channel: number) => number;

/** Undoes the normalisation of `pixel_values`. */
export const fromNormalized: ToByte = (x, c) => 255 * (x * CLIP_NORM.std[c]! + CLIP_NORM.mean[c]!);

/** Undoes 0.8·x + 0.1 of `codebook_pixel_values`. */
export const fromMapped: ToByte = (x) => (255 * (x - LOGIT_LAPLACE_EPS)) / (1 - 2 * LOGIT_LAPLACE_EPS);

/** Of values in 0..1. */
export const fromUnit: ToByte = (x) => 255 * x;

/** The pictures of a batch, (B, 3, H, W). Throws ShapeError. */
export function picturesOf(planes: Tensor, toByte: ToByte): Pixels[] {
  const [B = 0, channels, height = 0, width = 0] = planes.shape;
  if (planes.shape.length !== 4 || channels !== 3)
    throw new ShapeError(`picturesOf: expected (B, 3, H, W), got ${formatShape(planes.shape)}`);
  const values = planes.data as Float32Array;
  const area = width * height;
  return Array.from({ length: B }, (_, b) => {
    const bytes = new Uint8ClampedArray(3 * area); // rounds and clamps what is written
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < area; i++) bytes[3 * i + c] = toByte(values[(3 * b + c) * area + i]!, c);
    return pixels(width, height, new Uint8Array(bytes.buffer));
  });
}

/** `picture` with the patches of `mask` (side × side, row by row, 1 = masked) taken from `other`, a picture of the same size. */
export function withPatches(picture: Pixels, mask: ArrayLike<number>, other: Pixels): Pixels {
  const { width, height } = picture;
  const side = Math.sqrt(mask.length);
  if (other.width !== width || other.height !== height || width % side || height % side)
    throw new ShapeError(
      `withPatches: expected two pictures of whole patches on a grid of ${side}, got ${width}×${height} and ${other.width}×${other.height}`,
    );
  const data = picture.data.slice();
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const patch = Math.floor((y * side) / height) * side + Math.floor((x * side) / width);
      const at = 3 * (y * width + x);
      if (mask[patch]) data.set(other.data.subarray(at, at + 3), at);
    }
  return pixels(width, height, data);
}

/** Grey in stripes, as large as `picture`: no plain grey, which a picture may hold. */
export function hatched({ width, height }: Pixels): Pixels {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.fill((x + y) & 2 ? 150 : 116, 3 * (y * width + x), 3 * (y * width + x + 1));
  return pixels(width, height, data);
}
