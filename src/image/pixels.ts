/** Decoded pictures: eight-bit RGB, interleaved by pixel, rows from the top. */
import { ShapeError } from "../errors.ts";

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** `width · height · 3` bytes: R, G, B of the first pixel of the first row, and so on. */
  readonly data: Uint8Array;
}

/** Width and height of a square or of a rectangle. */
export type Size = number | { readonly width: number; readonly height: number };

/** An integer rectangle inside a picture. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Joins a size and its bytes. Throws ShapeError when they do not fit; nothing is copied. */
export function pixels(width: number, height: number, data: Uint8Array): Pixels {
  checkSide("pixels: width", width);
  checkSide("pixels: height", height);
  if (data.length !== width * height * 3)
    throw new ShapeError(`pixels: ${width}×${height} RGB needs ${width * height * 3} bytes, got ${data.length}`);
  return { width, height, data };
}

/** A picture of one colour. */
export function filledPixels(width: number, height: number, rgb: readonly [number, number, number]): Pixels {
  const image = pixels(width, height, new Uint8Array(width * height * 3));
  for (let i = 0; i < image.data.length; i += 3) image.data.set(rgb, i);
  return image;
}

export const widthOf = (size: Size): number => (typeof size === "number" ? size : size.width);
export const heightOf = (size: Size): number => (typeof size === "number" ? size : size.height);
/** `224` or `320x240`, as pipelines print it. */
export const formatSize = (size: Size): string =>
  typeof size === "number" ? `${size}` : `${size.width}x${size.height}`;

/** Throws ShapeError unless `value` is an integer ≥ 1; `where` opens the message. */
export function checkSide(where: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new ShapeError(`${where}: expected an integer ≥ 1, got ${value}`);
}

/** Throws ShapeError unless `region` is a non-empty integer rectangle inside the picture. */
export function checkRegion(where: string, image: Pixels, { left, top, width, height }: Region): void {
  const integers = [left, top, width, height].every(Number.isInteger);
  if (integers && left >= 0 && top >= 0 && width > 0 && height > 0)
    if (left + width <= image.width && top + height <= image.height) return;
  throw new ShapeError(
    `${where}: expected an integer region inside ${image.width}×${image.height}, got ${width}×${height} at (${left}, ${top})`,
  );
}
