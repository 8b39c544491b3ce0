/** Small pictures as PNG files that are large enough to look at. */
import type { Pixels } from "../image/index.ts";

/** Pixels along the side of a picture on the page. */
const SHOWN = 144;

/** The picture as a PNG file, each pixel a square of as many as bring its side near 144. */
export async function pngOf({ width, height, data }: Pixels): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp");
  const factor = Math.max(1, Math.round(SHOWN / Math.max(width, height)));
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(width * factor, height * factor, { kernel: "nearest" })
    .png()
    .toBuffer();
}
