/** Cropping, flipping and shorter-side resizing, rounded as torchvision and Hugging Face round. */
import type { Filter } from "./filters.ts";
import { checkSide, heightOf, type Pixels, type Size, widthOf } from "./pixels.ts";
import { crop, type ResizeOptions, resize } from "./resize.ts";

/**
 * How half a pixel of margin is rounded: "floor" as Hugging Face's `center_crop`, "even" as torchvision's `CenterCrop` (Python's `round`),
 * which CLIP uses. They differ when the margin is 3, 7, 11, …
 */
export type CropRounding = "floor" | "even";

/** The middle of the picture. Where the picture is smaller than `size` it is framed in black, as both references do. */
export function centerCrop(image: Pixels, size: Size, rounding: CropRounding = "floor"): Pixels {
  const [width, height] = [widthOf(size), heightOf(size)];
  checkSide("centerCrop: width", width);
  checkSide("centerCrop: height", height);
  if (width === image.width && height === image.height) return image;
  const framed = width > image.width || height > image.height ? frame(image, width, height, rounding) : image;
  const half = (margin: number): number => (rounding === "floor" ? Math.floor(margin / 2) : roundHalfEven(margin / 2));
  return crop(framed, { left: half(framed.width - width), top: half(framed.height - height), width, height });
}

/** Grows the picture with black to at least width × height; the spare column goes left (Hugging Face) or right (torchvision). */
function frame(image: Pixels, width: number, height: number, rounding: CropRounding): Pixels {
  const before = (room: number): number => (rounding === "floor" ? Math.ceil(room / 2) : Math.floor(room / 2));
  const [fullWidth, fullHeight] = [Math.max(width, image.width), Math.max(height, image.height)];
  const data = new Uint8Array(fullWidth * fullHeight * 3);
  const left = before(fullWidth - image.width);
  const top = before(fullHeight - image.height);
  for (let y = 0; y < image.height; y++)
    data.set(image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3), ((top + y) * fullWidth + left) * 3);
  return { width: fullWidth, height: fullHeight, data };
}

/** Resizes so that the shorter side has `side` pixels and the aspect ratio stays, the longer side truncated (torchvision's `Resize(int)`). */
export function resizeShorter(
  image: Pixels,
  side: number,
  filter: Filter,
  options: Pick<ResizeOptions, "firstPass"> = {},
): Pixels {
  const { width, height } = image;
  const longer = Math.trunc((side * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? resize(image, side, longer, filter, options) : resize(image, longer, side, filter, options);
}

/** Mirrors left and right. */
export function flipHorizontal({ width, height, data }: Pixels): Pixels {
  const out = new Uint8Array(data.length);
  for (let y = 0, o = 0; y < height; y++)
    for (let p = (y + 1) * width * 3 - 3; p >= y * width * 3; p -= 3, o += 3) {
      out[o] = data[p]!;
      out[o + 1] = data[p + 1]!;
      out[o + 2] = data[p + 2]!;
    }
  return { width, height, data: out };
}

/** Python's `round`: halves go to the even neighbour. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}
