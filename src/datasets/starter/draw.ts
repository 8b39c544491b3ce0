/** Draws pictures as square PNGs: SVG through sharp's librsvg, white behind what is transparent, nothing lossy. */
import { availableParallelism } from "node:os";
import sharp from "sharp";
import { DataError } from "../../errors.ts";
import type { Art } from "./art.ts";
import { encodePng } from "./png.ts";

/** Larger pictures than any in the packages; checked before decoding. */
const MAX_INPUT_PIXELS = 4096 * 4096;

/** The picture as an RGB PNG of `pixels` × `pixels`, whole and undistorted, on white. Throws DataError where it cannot be drawn. */
export async function drawPng(art: Art, pixels: number, name: string): Promise<Uint8Array> {
  const limits = { limitInputPixels: MAX_INPUT_PIXELS };
  try {
    const image =
      "svg" in art
        ? sharp(Buffer.from(onWhite(art.svg, pixels)), limits)
        : sharp(art.bytes, limits)
            .resize(pixels, pixels, { fit: "contain", background: "#fff" })
            .flatten({ background: "#fff" });
    const { data, info } = await image.toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
    if (info.width !== pixels || info.height !== pixels) throw new Error(`${info.width} by ${info.height} pixels`);
    return encodePng(rgbOf(data, info.channels), pixels, pixels, 3);
  } catch (cause) {
    throw new DataError(`${name}: expected a picture, got ${(cause as Error).message}`, undefined, { cause });
  }
}

/** Runs `work` on all items, a few at a time, in order of the items; one libvips thread a picture, as they are small. */
export async function drawAll<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const threads = sharp.concurrency();
  sharp.concurrency(1);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      signal?.throwIfAborted();
      const i = next++;
      results[i] = await work(items[i]!);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(4, availableParallelism() + 1) }, worker));
  } finally {
    sharp.concurrency(threads);
  }
  return results;
}

/** An SVG of `pixels` × `pixels`, white, with the given one in it; its viewBox keeps the proportions and the margins. */
function onWhite(svg: string, pixels: number): string {
  const root = /<svg\b[^>]*>/.exec(svg);
  if (!root) throw new Error("no <svg> element");
  const tag = root[0];
  const [width, height] = ["width", "height"].map((name) => new RegExp(`\\s${name}="([\\d.]+)(?:px)?"`).exec(tag)?.[1]);
  const viewBox =
    /\sviewBox=/.test(tag) || width === undefined || height === undefined ? "" : ` viewBox="0 0 ${width} ${height}"`;
  const bare = tag.replace(/\s(width|height)="[^"]*"/g, "");
  const size = `width="${pixels}" height="${pixels}"`;
  const inner = bare.replace(/^<svg/, `<svg ${size}${viewBox}`) + svg.slice(root.index + tag.length);
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect ${size} fill="#fff"/>${inner}</svg>`;
}

/** Without the alpha channel, which is opaque everywhere. */
function rgbOf(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  if (channels !== 4) throw new Error(`${channels} channels`);
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let i = 0, o = 0; i < data.length; i += 4) {
    if (data[i + 3] !== 255) throw new Error("a transparent pixel on white");
    rgb[o++] = data[i]!;
    rgb[o++] = data[i + 1]!;
    rgb[o++] = data[i + 2]!;
  }
  return rgb;
}
