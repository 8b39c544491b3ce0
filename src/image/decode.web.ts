/** Decoding in browsers and workers: `createImageBitmap` and an OffscreenCanvas. Its counterpart for Node is decode.node.ts. */
import type { Decoded, PlatformOptions } from "./decoded.ts";
import { exifOrientation, turnUpright, withoutExif } from "./exif.ts";
import type { ImageHeader } from "./header.ts";

/**
 * Decodes bytes of a known format to straight RGBA. The browser is asked to leave colours and alpha alone; its canvas still
 * stores colours multiplied by alpha, which rounds them where alpha is low.
 */
export async function decodePlatform(
  bytes: Uint8Array,
  header: ImageHeader,
  options: PlatformOptions,
): Promise<Decoded> {
  const { format, width } = header;
  // Elsewhere the size cannot be known before memory is taken, and an SVG may fetch or have no size.
  if (width === undefined) throw new Error(`${format} cannot be decoded in a browser`);
  const decoded = await decodeUnturned(new Blob(withoutExif(bytes, format) as BlobPart[], { type: `image/${format}` }));
  const orientation = options.applyOrientation ? exifOrientation(bytes, format) : 1;
  return orientation === 1 ? decoded : turnUpright(decoded, orientation);
}

async function decodeUnturned(image: Blob): Promise<Decoded> {
  const bitmap = await createImageBitmap(image, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  try {
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("no 2d canvas");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), layout: "rgba" };
  } finally {
    bitmap.close();
  }
}
