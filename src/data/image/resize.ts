/** Resampling equal to Pillow's `Image.resize` byte for byte on eight-bit RGB (Pillow, src/libImaging/Resample.c). */
import { ShapeError } from "../../errors.ts";
import { type Axis, axisWeights, type Filter } from "./filters.ts";
import { columnPass, rowPass, type View } from "./passes.ts";
import { checkRegion, checkSide, type Pixels, type Region } from "./pixels.ts";

const MAX_BYTES = 2 ** 30;

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
  checkBox(image, box);
  return resample(wholeView(image), [{ width, height, filter }], box)[0]!;
}

/** One of several outputs of the same pixels. */
export interface ResizeTarget {
  readonly width: number;
  readonly height: number;
  readonly filter: Filter;
}

/**
 * Cuts a region and resizes it as if the rest of the picture did not exist, which is what torchvision's `resized_crop` does. At the
 * region's edges it differs from `resize` with a box, whose filter reads beyond them. No copy of the region is made.
 */
export function cropResize(image: Pixels, region: Region, width: number, height: number, filter: Filter): Pixels {
  return resizeEach(image, [{ width, height, filter }], region)[0]!;
}

/** The picture, or a region of it cut out, at several sizes: the same as one cropResize a target, but its rows are read once. */
export function resizeEach(image: Pixels, targets: readonly ResizeTarget[], region?: Region): Pixels[] {
  const { width, height } = region ?? image;
  const box: Box = [0, 0, width, height];
  if (!region) return resample(wholeView(image), targets, box);
  checkRegion("cropResize", image, region);
  const stride = image.width * 3;
  const view: View = { data: image.data, offset: region.top * stride + region.left * 3, stride, width, height };
  return resample(view, targets, box);
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

/** What a target needs: the passes that change something. */
interface Plan extends ResizeTarget {
  readonly across?: Axis;
  readonly down?: Axis;
}

function resample(view: View, targets: readonly ResizeTarget[], exactBox: Box): Pixels[] {
  // The loops mask their indexes to 30 bits.
  if (view.data.length > MAX_BYTES)
    throw new ShapeError(`resize: expected a picture of at most ${MAX_BYTES} bytes, got ${view.data.length}`);
  const box = exactBox.map(Math.fround) as unknown as Box;
  const plans = targets.map((target) => planResize(view, target, box));
  const wide = plans.filter((plan) => plan.across);
  // Only the rows that second passes read are made.
  const first = Math.min(...wide.map(({ down }) => (down ? down.first[0]! : 0)));
  const last = Math.max(...wide.map(({ down, height }) => (down ? down.first.at(-1)! + down.count.at(-1)! : height)));
  const rows = { ...view, offset: view.offset + first * view.stride, height: last - first };
  const axes = wide.map((plan) => plan.across!);
  const strips = wide.map(({ width, down }, i) => strip(i, rows.height * width * 3, down !== undefined));
  if (wide.length > 0) columnPass(rows, axes, strips);
  return plans.map((plan) => {
    const { width, height, across, down } = plan;
    if (!across && !down) return copyRegion(view, box[0], box[1], width, height);
    if (!across) return { width, height, data: rowPass(view, down!) };
    const data = strips[wide.indexOf(plan)]!;
    if (!down) return { width, height, data };
    return {
      width,
      height,
      data: rowPass({ data, offset: -first * width * 3, stride: width * 3, width, height }, down),
    };
  });
}

/** Room for what lies between two passes, one for each output at a time: making it anew for every picture costs a tenth. */
const SCRATCH_BYTES = 8 * 2 ** 20;
const scratch: Uint8Array[] = [];

/** Room for the result of a first pass: of its own where it is the result of all, else shared between calls. */
function strip(place: number, bytes: number, isBetween: boolean): Uint8Array {
  if (!isBetween || bytes > SCRATCH_BYTES) return new Uint8Array(bytes);
  let room = scratch[place];
  if (!room || room.length < bytes) scratch[place] = room = new Uint8Array(bytes);
  return room.subarray(0, bytes);
}

function planResize(view: View, target: ResizeTarget, [left, top, right, bottom]: Box): Plan {
  const { width, height, filter } = target;
  checkSide("resize: width", width);
  checkSide("resize: height", height);
  if (Number.isInteger(left) && Number.isInteger(top) && right - left === width && bottom - top === height)
    return target;
  const across = { size: view.width, from: left, to: right, outputs: width };
  const down = { size: view.height, from: top, to: bottom, outputs: height };
  return {
    ...target,
    ...(width !== view.width || left !== 0 || right !== width ? { across: axisWeights(filter, across) } : {}),
    ...(height !== view.height || top !== 0 || bottom !== height ? { down: axisWeights(filter, down) } : {}),
  };
}

function copyRegion(view: View, left: number, top: number, width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = view.offset + (top + y) * view.stride + left * 3;
    data.set(view.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, data };
}
