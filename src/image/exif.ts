/**
 * The EXIF of encoded images, for browsers: they turn some formats as it says and cannot be asked not to, so the decoder gets
 * the image without it and the pixels are turned here (CIPA DC-008 §4.6.4, tag 274).
 */
import type { Decoded } from "./decoded.ts";
import { type ImageFormat, jpegSegments } from "./header.ts";

/** A piece of a file at..end−1 that holds EXIF, which is a TIFF structure from `tiff` on. */
interface Segment {
  readonly at: number;
  readonly end: number;
  readonly tiff: number;
}

const EXIF_FLAG = 0x08;

/** The pieces of the same image without its EXIF. */
export function withoutExif(bytes: Uint8Array, format: ImageFormat): Uint8Array[] {
  const segments = exifSegments(viewOf(bytes), format);
  if (format === "webp") return [hideChunks(bytes, segments)];
  const starts = [0, ...segments.map(({ end }) => end)];
  const ends = [...segments.map(({ at }) => at), bytes.length];
  return starts.map((start, i) => bytes.subarray(start, ends[i]));
}

/** The orientation, 1 (upright) to 8, of a JPEG, PNG or WebP; 1 where there is none. Never throws. */
export function exifOrientation(bytes: Uint8Array, format: ImageFormat): number {
  for (const { tiff, end } of exifSegments(viewOf(bytes), format)) {
    const value = tiffOrientation(viewOf(bytes.subarray(tiff, end)));
    if (value !== undefined && value >= 1 && value <= 8) return value;
  }
  return 1;
}

/** RGBA turned upright: orientations from 5 on swap width and height. */
export function turnUpright({ width, height, data, layout }: Decoded, orientation: number): Decoded {
  const swaps = orientation >= 5;
  const [w, h] = swaps ? [height, width] : [width, height];
  const mirrorsX = [2, 3, 7, 8].includes(orientation);
  const mirrorsY = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8Array(data.length);
  for (let y = 0, o = 0; y < h; y++)
    for (let x = 0; x < w; x++, o += 4) {
      const [fromX, fromY] = swaps ? [y, x] : [x, y];
      const column = mirrorsX ? width - 1 - fromX : fromX;
      const at = ((mirrorsY ? height - 1 - fromY : fromY) * width + column) * 4;
      for (let c = 0; c < 4; c++) out[o + c] = data[at + c]!;
    }
  return { width: w, height: h, data: out, layout };
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function exifSegments(view: DataView, format: ImageFormat): Segment[] {
  if (format === "jpeg") return jpegExif(view);
  if (format === "png") return pngExif(view);
  return format === "webp" ? webpExif(view) : [];
}

/** APP1 segments that begin with "Exif\0\0". */
const jpegExif = (view: DataView): Segment[] =>
  Array.from(jpegSegments(view))
    .filter(({ marker, at }) => marker === 0xe1 && view.getUint32(at + 4) === 0x45786966)
    .map(({ at, end }) => ({ at, end, tiff: at + 10 }));

/** `eXIf` chunks (W3C PNG, third edition). */
function pngExif(view: DataView): Segment[] {
  const segments: Segment[] = [];
  for (let at = 8; at + 12 <= view.byteLength; ) {
    const end = at + 12 + view.getUint32(at);
    if (view.getUint32(at + 4) === 0x65584966) segments.push({ at, end, tiff: at + 8 });
    at = end;
  }
  return segments;
}

/** `EXIF` chunks (RFC 9649); some writers put JPEG's "Exif\0\0" before the TIFF structure. */
function webpExif(view: DataView): Segment[] {
  const segments: Segment[] = [];
  for (let at = 12; at + 12 <= view.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const end = at + 8 + size + (size & 1);
    const prefix = view.getUint32(at + 8) === 0x45786966 ? 6 : 0;
    if (view.getUint32(at) === 0x45584946) segments.push({ at, end, tiff: at + 8 + prefix });
    at = end;
  }
  return segments;
}

/** The same WebP with these chunks under a name that decoders do not know: all sizes stay right. */
function hideChunks(bytes: Uint8Array, segments: readonly Segment[]): Uint8Array {
  if (segments.length === 0) return bytes;
  const copy = bytes.slice();
  const isExtended = viewOf(copy).getUint32(12) === 0x56503858; // VP8X
  if (isExtended) copy[20]! &= ~EXIF_FLAG;
  for (const { at } of segments) copy.fill(0x58, at, at + 4);
  return copy;
}

/** Tag 274 of the first directory of a TIFF structure. */
function tiffOrientation(view: DataView): number | undefined {
  if (view.byteLength < 8) return undefined;
  const little = view.getUint16(0) === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > view.byteLength) return undefined;
  const entries = view.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= view.byteLength; i++, at += 12)
    if (view.getUint16(at, little) === 274) return view.getUint16(at + 8, little);
  return undefined;
}
