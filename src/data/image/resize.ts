/** Resampling equal to Pillow's `Image.resize` byte for byte on eight-bit RGB (Pillow, src/libImaging/Resample.c). */
import { ShapeError } from "../../errors.ts";
import { axisWeights, type Filter } from "./filters.ts";
import { columnPass, rowPass, type View } from "./passes.ts";
import { checkRegion, checkSide, type Pixels, type Region } from "./pixels.ts";

/** left, top, right, bottom in source pixels; fractions allowed. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

export interface ResizeOptions {
  /** The part of the picture to stretch over the output. The filter still sees pixels outside of it. Default: all. */
  readonly box?: Box;
}

/**
 * Resizes to width × height, aspect ratio not kept: `Image.resize((width, height), filter, box)` of Pillow. Columns first, then
 * rows, rounded to eight bits between; a pass that would change nothing is skipped. Throws ShapeError on a bad size or box.
 */
export function resize(
  image: Pixels,
  width: number,
  height: number,
  filter: Filter,
  { box = [0, 0, image.width, image.height] }: ResizeOptions = {},
): Pixels {
  checkSide("resize: width", width);
  checkSide("resize: height", height);
  checkBox(image, box);
  return resample(wholeView(image), width, height, filter, box);
}

/**
 * Cuts a region and resizes it as if the rest of the picture did not exist, which is what torchvision's `resized_crop` does. At the
 * region's edges it differs from `resize` with a box, whose filter reads beyond them. No copy of the region is made.
 */
export function cropResize(image: Pixels, region: Region, width: number, height: number, filter: Filter): Pixels {
  checkSide("cropResize: width", width);
  checkSide("cropResize: height", height);
  checkRegion("cropResize", image, region);
  const stride = image.width * 3;
  const view: View = { ...region, data: image.data, offset: region.top * stride + region.left * 3, stride };
  return resample(view, width, height, filter, [0, 0, region.width, region.height]);
}

/** Cuts a region out. */
export function crop(image: Pixels, region: Region): Pixels {
  return cropResize(image, region, region.width, region.height, "box");
}

const wholeView = ({ data, width, height }: Pixels): View => ({ data, offset: 0, stride: width * 3, width, height });

function checkBox(image: Pixels, [left, top, right, bottom]: Box): void {
  const inside = left >= 0 && top >= 0 && right <= image.width && bottom <= image.height;
  if (inside && right > left && bottom > top) return;
  throw new ShapeError(
    `resize: expected a box inside ${image.width}×${image.height} (left, top, right, bottom), got (${[left, top, right, bottom].join(", ")})`,
  );
}

function resample(view: View, width: number, height: number, filter: Filter, box: Box): Pixels {
  const [left, top, right, bottom] = box.map(Math.fround) as unknown as Box;
  if (Number.isInteger(left) && Number.isInteger(top) && right - left === width && bottom - top === height)
    return copyRegion(view, left, top, width, height);
  const acrossNeeded = width !== view.width || left !== 0 || right !== width;
  const downNeeded = height !== view.height || top !== 0 || bottom !== height;
  const down = axisWeights(filter, { size: view.height, from: top, to: bottom, outputs: height });
  if (!acrossNeeded) return { width, height, data: rowPass(view, down) };

  const across = axisWeights(filter, { size: view.width, from: left, to: right, outputs: width });
  if (!downNeeded) return { width, height, data: columnPass(view, across) };
  // Only the rows that the second pass reads are made.
  const firstRow = down.first[0]!;
  const lastRow = down.first[height - 1]! + down.count[height - 1]!;
  const rows = { ...view, offset: view.offset + firstRow * view.stride, height: lastRow - firstRow };
  const between: View = { ...wholeView({ width, height: rows.height, data: columnPass(rows, across) }) };
  return { width, height, data: rowPass(between, { ...down, first: down.first.map((first) => first - firstRow) }) };
}

function copyRegion(view: View, left: number, top: number, width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = view.offset + (top + y) * view.stride + left * 3;
    data.set(view.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, data };
}
