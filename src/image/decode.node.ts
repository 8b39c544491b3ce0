/** Decoding in Node: sharp, which carries libvips. Its counterpart for browsers is decode.web.ts. */
import type { Sharp, SharpOptions } from "sharp";
import { EngineError } from "../errors.ts";
import { type Decoded, type PlatformOptions, TooLarge } from "./decoded.ts";
import type { ImageHeader } from "./header.ts";

type SharpModule = typeof import("sharp");
let loading: Promise<SharpModule["default"]> | undefined;

/** Loads sharp on first use and sets it up, for the process, for many small images: no operation cache, one thread an image. */
function loadSharp(): Promise<SharpModule["default"]> {
  loading ??= import("sharp").then(
    ({ default: sharp }) => {
      sharp.cache(false);
      sharp.concurrency(1);
      return sharp;
    },
    (cause: unknown) => {
      loading = undefined;
      throw new EngineError(
        "decodeImage: expected the package sharp, got an error while loading it",
        "npm install sharp",
        { cause },
      );
    },
  );
  return loading;
}

/** Decodes bytes of a known format to interleaved RGB, RGBA or CMYK. Rejects with libvips's message on damage. */
export async function decodePlatform(
  bytes: Uint8Array,
  header: ImageHeader,
  options: PlatformOptions,
): Promise<Decoded> {
  const sharp = await loadSharp();
  const settings: SharpOptions = {
    limitInputPixels: options.maxPixels,
    failOn: "error", // as strict as PIL: cut-off files fail, warnings of a JPEG decoder do not
    ignoreIcc: true,
    autoOrient: options.applyOrientation,
    sequentialRead: true,
  };
  let ink = header.components === 4;
  if (header.width === undefined) {
    const { width, height, space } = await sharp(bytes, { ...settings, limitInputPixels: false }).metadata();
    if (width * height > options.maxPixels) throw new TooLarge(`${width}×${height}`);
    if (header.format === "svg" && options.svgSize !== undefined)
      settings.density = Math.min(100_000, Math.max(1, (72 * options.svgSize) / Math.max(width, height)));
    ink = space === "cmyk";
  }
  return read(sharp(bytes, settings), ink);
}

async function read(image: Sharp, ink: boolean): Promise<Decoded> {
  const opened = ink ? image.pipelineColourspace("cmyk").toColourspace("cmyk") : image;
  const { data: buffer, info } = await opened.raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const data = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
  if (channels === 3) return { width, height, data, layout: "rgb" };
  if (channels === 4) return { width, height, data, layout: ink ? "cmyk" : "rgba" };
  throw new Error(`${channels} channels`);
}
