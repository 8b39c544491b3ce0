/**
 * Colour changes on bytes, equal to Pillow's (`ImageEnhance`, `ImageOps.solarize`, and the HSV shift of torchvision's `adjust_hue`), which
 * is what torchvision runs on PIL images (Pillow: Blend.c, Convert.c).
 */
import { ConfigError } from "../errors.ts";
import { shiftHuePixel } from "./hsv.ts";
import type { Pixels } from "./pixels.ts";

const f32 = Math.fround;

/** Luma of ITU-R 601-2 in 16-bit fixed point, as Pillow's mode "L". */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

/** Every channel becomes the luma. */
export function greyscale(image: Pixels): Pixels {
  return mapPixels(image, (r, g, b, out, at) => {
    const grey = luma(r, g, b);
    out[at] = grey;
    out[at + 1] = grey;
    out[at + 2] = grey;
  });
}

/** Blends with black: 0 is black, 1 the picture, above 1 brighter. */
export function adjustBrightness(image: Pixels, factor: number): Pixels {
  checkFactor("adjustBrightness", factor);
  return mapBytes(image, blendTable(0, factor));
}

/** Blends with a grey of the picture's mean luma (rounded): 0 is that grey, 1 the picture. */
export function adjustContrast(image: Pixels, factor: number): Pixels {
  checkFactor("adjustContrast", factor);
  const { width, height, data } = image;
  let sum = 0;
  for (let p = 0; p < data.length; p += 3) sum += luma(data[p]!, data[p + 1]!, data[p + 2]!);
  return mapBytes(image, blendTable(Math.trunc(sum / (width * height) + 0.5), factor));
}

/** Blends with the picture in grey: 0 is grey, 1 the picture, above 1 more colourful. */
export function adjustSaturation(image: Pixels, factor: number): Pixels {
  checkFactor("adjustSaturation", factor);
  const alpha = f32(factor);
  return mapPixels(image, (r, g, b, out, at) => {
    const grey = luma(r, g, b);
    out[at] = blend(grey, r, alpha);
    out[at + 1] = blend(grey, g, alpha);
    out[at + 2] = blend(grey, b, alpha);
  });
}

/** Turns the hue by `shift` of the colour circle, −0.5..0.5, through Pillow's eight-bit HSV (which loses a little even at 0). */
export function adjustHue(image: Pixels, shift: number): Pixels {
  if (!(shift >= -0.5 && shift <= 0.5)) throw new ConfigError(`adjustHue: expected a shift in −0.5..0.5, got ${shift}`);
  const turn = Math.trunc(shift * 255) & 255;
  return mapPixels(image, (r, g, b, out, at) => shiftHuePixel(r, g, b, turn, out, at));
}

/** Inverts bytes at and above the threshold. */
export function solarize(image: Pixels, threshold = 128): Pixels {
  return mapBytes(
    image,
    Uint8Array.from({ length: 256 }, (_, v) => (v < threshold ? v : 255 - v)),
  );
}

/** Pillow's blend of two bytes: float32 arithmetic, clipped, truncated. `alpha` is a float32. */
function blend(from: number, to: number, alpha: number): number {
  const v = f32(from + f32(alpha * (to - from)));
  return v <= 0 ? 0 : v >= 255 ? 255 : Math.trunc(v);
}

const blendTable = (from: number, factor: number): Uint8Array => {
  const alpha = f32(factor);
  return Uint8Array.from({ length: 256 }, (_, to) => blend(from, to, alpha));
};

function mapBytes({ width, height, data }: Pixels, table: Uint8Array): Pixels {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = table[data[i]!]!;
  return { width, height, data: out };
}

type PixelMap = (r: number, g: number, b: number, out: Uint8Array, at: number) => void;

function mapPixels({ width, height, data }: Pixels, map: PixelMap): Pixels {
  const out = new Uint8Array(data.length);
  for (let p = 0; p < data.length; p += 3) map(data[p]!, data[p + 1]!, data[p + 2]!, out, p);
  return { width, height, data: out };
}

function checkFactor(where: string, factor: number): void {
  if (!(factor >= 0 && Number.isFinite(factor)))
    throw new ConfigError(`${where}: expected a factor ≥ 0, got ${factor}`);
}
