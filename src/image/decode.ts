/**
 * Encoded bytes to RGB pixels, with the meaning of PIL's `Image.open(...).convert("RGB")` unless an option says otherwise. The decoder is the
 * platform's: sharp (libvips) in Node, `createImageBitmap` in browsers; `#decode` picks it through the `imports` of package.json.
 */
import { decodePlatform } from "#decode";
import { DataError } from "../errors.ts";
import { decodeBmp } from "./bmp.ts";
import { type Decoded, TooLarge } from "./decoded.ts";
import { describeBytes, type ImageFormat, type ImageHeader, readImageHeader } from "./header.ts";
import { decodeNetpbm } from "./netpbm.ts";
import { type Pixels, pixels } from "./pixels.ts";

/** PIL refuses larger pictures as decompression bombs: twice 1 GiB / 4 / 3 pixels. */
export const MAX_PIXELS = 178_956_970;

export interface DecodeOptions {
  /** Names the sample in errors. */
  readonly key?: string;
  /** Larger pictures are refused from their header, before memory is taken. Default MAX_PIXELS. */
  readonly maxPixels?: number;
  /** Turns the picture as its EXIF orientation asks. Default, as PIL and torchvision do: false, but true for TIFF. */
  readonly applyOrientation?: boolean;
  /** The colour behind transparent pixels. "drop" forgets the alpha channel, as PIL's convert does. Default white. */
  readonly background?: readonly [red: number, green: number, blue: number] | "drop";
  /** Draws an SVG with about this many pixels on its longer side. Default: the size that the file names. */
  readonly svgSize?: number;
  readonly signal?: AbortSignal;
}

/**
 * Decodes JPEG, PNG, WebP, GIF (first frame), BMP, PBM, PGM, PPM, and in Node TIFF, AVIF and SVG.
 * - grey and palette pictures become RGB; 16 bits per channel become 8 by dropping the low byte (PIL clips 16-bit grey to white instead).
 * - CMYK: 255 − c·k and so on, without a colour profile. ICC profiles are ignored everywhere, as PIL does.
 * - alpha is composited on white (`background`); PIL drops it.
 * - EXIF orientation is ignored, but TIFF's is applied (`applyOrientation`).
 *
 * In Node each of these, JPEG's chroma upsampling and DCT included (libvips keeps libjpeg-turbo's defaults, as PIL does), gives PIL's bytes; only
 * AVIF differs, whose chroma two libraries interpolate differently. With "drop", the colour that a GIF hides under its transparent pixels is not
 * PIL's. Chromium gives Node's bytes (test/browser), but for CMYK and AVIF (off by one), for colours under low alpha where it is dropped (a
 * canvas stores them multiplied), and for TIFF and SVG, which it refuses here; other browsers have other libraries.
 * Throws DataError, naming `key`, when the bytes are no image, damaged, cut short (as PIL judges it) or too large.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<Pixels> {
  const { key, maxPixels = MAX_PIXELS, background = [255, 255, 255], signal } = options;
  const where = key === undefined ? "decodeImage" : `decodeImage: ${key}`;
  signal?.throwIfAborted();
  const header = readImageHeader(bytes);
  if (!header)
    throw new DataError(
      `${where}: expected JPEG, PNG, WebP, GIF, BMP, PPM, TIFF, AVIF or SVG, got ${describeBytes(bytes)}`,
      "the format is read from the first bytes, not from the name; convert other formats first",
    );
  checkHeader(where, header, maxPixels);
  const own = OWN[header.format];
  const decode = async (): Promise<Decoded> =>
    own
      ? own(bytes)
      : decodePlatform(bytes, header, {
          maxPixels,
          applyOrientation: options.applyOrientation ?? header.format === "tiff",
          svgSize: options.svgSize,
        });
  const decoded = await decode().catch((cause: unknown) => {
    throw decodeError(where, header, maxPixels, cause);
  });
  signal?.throwIfAborted();
  return toRgb(decoded, background);
}

/** Formats that no platform decodes. */
const OWN: { readonly [F in ImageFormat]?: (bytes: Uint8Array) => Decoded } = { bmp: decodeBmp, ppm: decodeNetpbm };

function checkHeader(where: string, { format, width, height }: ImageHeader, maxPixels: number): void {
  if (width === undefined || height === undefined) return;
  if (width <= 0 || height <= 0)
    throw new DataError(`${where}: expected a ${format} of at least 1×1, got ${width}×${height}`);
  if (width * height > maxPixels) throw tooLarge(where, `${width}×${height}`, maxPixels);
}

const tooLarge = (where: string, size: string, maxPixels: number, cause?: unknown): DataError =>
  new DataError(
    `${where}: expected at most ${maxPixels} pixels, got ${size}`,
    "such a header is often an attack or damage; raise maxPixels if the image is meant",
    { cause },
  );

function decodeError(where: string, { format }: ImageHeader, maxPixels: number, cause: unknown): unknown {
  if (cause instanceof TooLarge) return tooLarge(where, cause.message, maxPixels, cause);
  // A decoder that is missing is no fault of the sample.
  if (cause instanceof Error && "code" in cause && cause.code === "E_ENGINE") return cause;
  const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
  return new DataError(
    `${where}: expected a whole ${format} image, got damaged or cut-off bytes (${reason})`,
    "get the file again or leave it out",
    { cause },
  );
}

/** Eight-bit RGB from what decoders give. */
export function toRgb(decoded: Decoded, background: readonly [number, number, number] | "drop"): Pixels {
  const { width, height, data, layout } = decoded;
  if (layout === "rgb") return pixels(width, height, data);
  const out = new Uint8Array(width * height * 3);
  if (layout === "cmyk") inkToRgb(data, out);
  else if (background === "drop") dropAlpha(data, out);
  else composite(data, background, out);
  return pixels(width, height, out);
}

/** a·b / 255, rounded, for bytes. */
function multiply255(a: number, b: number): number {
  const t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

/** Pillow's cmyk2rgb: each ink takes its share of what black left over. */
function inkToRgb(data: Uint8Array, out: Uint8Array): void {
  for (let i = 0, o = 0; o < out.length; i += 4, o += 3) {
    const light = 255 - data[i + 3]!;
    for (let c = 0; c < 3; c++) out[o + c] = light - multiply255(data[i + c]!, light);
  }
}

function dropAlpha(data: Uint8Array, out: Uint8Array): void {
  for (let i = 0, o = 0; o < out.length; i += 4, o += 3) for (let c = 0; c < 3; c++) out[o + c] = data[i + c]!;
}

function composite(data: Uint8Array, background: readonly [number, number, number], out: Uint8Array): void {
  for (let i = 0, o = 0; o < out.length; i += 4, o += 3) {
    const alpha = data[i + 3]!;
    for (let c = 0; c < 3; c++) out[o + c] = Math.round((data[i + c]! * alpha + background[c]! * (255 - alpha)) / 255);
  }
}
