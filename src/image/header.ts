/** What an encoded image says of itself in its first bytes: format and size, read without decoding and without trusting a file name. */

import { bmpHead } from "./bmp.ts";
import { netpbmHead } from "./netpbm.ts";

export type ImageFormat = "jpeg" | "png" | "gif" | "webp" | "tiff" | "avif" | "svg" | "bmp" | "ppm";

/** What files of these formats are called, without the dot: names only say what is worth opening, bytes what it is. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  ...["jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp"],
  ...["png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff", "svg", "avif", "ppm", "pgm", "pbm", "pnm"],
];

export interface ImageHeader {
  readonly format: ImageFormat;
  /** Missing where only a decoder knows (TIFF, SVG, and damaged headers). */
  readonly width?: number;
  readonly height?: number;
  /** Colour components of a JPEG: 1 grey, 3 colour, 4 CMYK. */
  readonly components?: number;
}

/** Reads the header of a supported format; undefined for anything else. Never throws, whatever the bytes. */
export function readImageHeader(bytes: Uint8Array): ImageHeader | undefined {
  const format = imageFormat(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === "png" && bytes.length >= 24) return { format, width: view.getUint32(16), height: view.getUint32(20) };
  if (format === "gif" && bytes.length >= 10)
    return { format, width: view.getUint16(6, true), height: view.getUint16(8, true) };
  if (format === "jpeg") return { format, ...jpegFrame(view) };
  if (format === "webp") return { format, ...webpSize(view) };
  if (format === "avif") return { format, ...avifSize(view) };
  if (format === "bmp" || format === "ppm") {
    const { width, height } = (format === "bmp" ? bmpHead(bytes) : netpbmHead(bytes))!;
    return { format, width, height };
  }
  return format && { format };
}

/** What unreadable bytes look like, for an error message. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return "no bytes at all";
  for (const [name, magic] of LOOKALIKES) if (startsWith(bytes, magic)) return name;
  const start = Array.from(bytes.subarray(0, 8), (b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${bytes.length} bytes of an unknown kind (${start})`;
}

const LOOKALIKES: readonly (readonly [string, string])[] = [
  ["a ZIP archive", "PK\x03\x04"],
  ["gzip-compressed data", "\x1f\x8b"],
  ["a damaged BMP image", "BM"],
  ["a PDF document", "%PDF"],
  ["an HTML page", "<!DOCTYPE html"],
  ["an HTML page", "<!doctype html"],
  ["an HTML page", "<html"],
  ["JSON text", "{"],
  ["a JPEG 2000 image, which is not supported", "\0\0\0\x0cjP"],
  ["a JPEG XL image, which is not supported", "\xff\x0a"],
];

function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, "\xff\xd8\xff")) return "jpeg";
  if (startsWith(bytes, "\x89PNG\r\n\x1a\n")) return "png";
  if (startsWith(bytes, "GIF87a") || startsWith(bytes, "GIF89a")) return "gif";
  if (startsWith(bytes, "RIFF") && startsWith(bytes.subarray(8), "WEBP")) return "webp";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].some((magic) => startsWith(bytes, magic))) return "tiff";
  if (startsWith(bytes.subarray(4), "ftypavif") || startsWith(bytes.subarray(4), "ftypavis")) return "avif";
  if (bmpHead(bytes)) return "bmp";
  if (netpbmHead(bytes)) return "ppm";
  return isSvg(bytes) ? "svg" : undefined;
}

const startsWith = (bytes: Uint8Array, magic: string): boolean =>
  bytes.length >= magic.length && [...magic].every((c, i) => bytes[i] === c.charCodeAt(0));

/** An `<svg` among the first thousand bytes of something that begins as XML does. */
function isSvg(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes.subarray(0, 1000)).trimStart();
  return text.startsWith("<") && /<(\w+:)?svg[\s>]/.test(text) && !/^<(!doctype\s+)?html/i.test(text);
}

function jpegFrame(view: DataView): { width?: number; height?: number; components?: number } {
  for (const { marker, at } of jpegSegments(view))
    if (isFrame(marker))
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: view.getUint8(at + 9) };
  return {};
}

/** The segments of a JPEG before its image data, each with its bytes at..end−1 (ITU-T T.81, B.1.1). */
export function* jpegSegments(view: DataView): Generator<{ marker: number; at: number; end: number }> {
  let at = 2;
  while (at + 9 < view.byteLength) {
    const marker = view.getUint8(at + 1);
    // Decoders skip stray bytes between segments and fill bytes before a marker.
    if (view.getUint8(at) !== 0xff || marker === 0xff || marker === 0) {
      at++;
      continue;
    }
    if (marker === 0xd9 || marker === 0xda) return;
    const alone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    const end = at + (alone ? 2 : 2 + Math.max(2, view.getUint16(at + 2)));
    yield { marker, at, end };
    at = end;
  }
}

/** SOF0 … SOF15, without the tables (DHT, JPG, DAC) that share their range. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** The canvas of an extended WebP, else the frame of a lossy or lossless one (RFC 9649). */
function webpSize(view: DataView): { width?: number; height?: number } {
  if (view.byteLength < 30) return {};
  const chunk = String.fromCharCode(...[12, 13, 14, 15].map((i) => view.getUint8(i)));
  const uint24 = (at: number): number => view.getUint16(at, true) + view.getUint8(at + 2) * 65536;
  if (chunk === "VP8X") return { width: uint24(24) + 1, height: uint24(27) + 1 };
  if (chunk === "VP8 ") return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (chunk !== "VP8L") return {};
  const bits = view.getUint32(21, true);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

/** The largest `ispe` (image spatial extents) property among the first boxes of an AVIF (ISO/IEC 23008-12). */
function avifSize(view: DataView): { width?: number; height?: number } {
  let size = {};
  let most = -1;
  for (let at = 16; at + 16 <= Math.min(view.byteLength, 65536); at++) {
    if (view.getUint32(at) !== 0x69737065) continue;
    const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (width * height > most) size = { width, height };
    most = Math.max(most, width * height);
  }
  return size;
}
