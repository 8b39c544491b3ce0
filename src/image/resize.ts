/**
 * Resampling equal to Pillow's `Image.resize` byte for byte on eight-bit RGB (Pillow, src/libImaging/Resample.c). Up to Pillow 12 the
 * horizontal pass runs first, always; that is the default here too, as the released models saw pictures so. See `FirstPass`.
 */
import { ShapeError } from "../errors.ts";
import { axisWeights, type Filter } from "./filters.ts";
import { type Plan, plainPasses, type View } from "./passes.ts";
import { checkRegion, checkSide, type Pixels, type Region } from "./pixels.ts";
import { simdPasses } from "./wasm/passes.ts";

const MAX_BYTES = 2 ** 30;

/** left, top, right, bottom in source pixels; fractions allowed. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

/**
 * Which of the two passes runs first. Between them pixels are rounded to eight bits, so it shows: by up to 7
 * levels on noise, by up to 26 on black and white noise.
 * `horizontal`: Pillow ≤ 12. `cheaper`: Pillow ≥ 13, which takes the vertical pass first where the height shrinks by more than twice
 * the pixels that the width does.
 */
export type FirstPass = "horizontal" | "cheaper";

export interface ResizeOptions {
  /** Default `horizontal`. */
  readonly firstPass?: FirstPass | undefined;
  /** The part of the picture to stretch over the output. The filter still sees pixels outside of it. Default: all. */
  readonly box?: Box;
}

/**
 * Resizes to width × height, aspect ratio not kept: `Image.resize((width, height), filter, box)` of Pillow. Two passes, rounded to
 * eight bits between; a pass that would change nothing is skipped. Throws ShapeError on a bad size or box.
 */
export function resize(
  image: Pixels,
  width: number,
  height: number,
  filter: Filter,
  { box = [0, 0, image.width, image.height], firstPass }: ResizeOptions = {},
): Pixels {
  checkBox(image, box);
  return resample(wholeView(image), [{ width, height, filter, firstPass }], box)[0]!;
}

/** One of several outputs of the same pixels. */
export interface ResizeTarget {
  readonly width: number;
  readonly height: number;
  readonly filter: Filter;
  /** Default `horizontal`. */
  readonly firstPass?: FirstPass | undefined;
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

function resample(view: View, targets: readonly ResizeTarget[], exactBox: Box): Pixels[] {
  checkBytes("a picture", view.data.length);
  const box = exactBox.map(Math.fround) as unknown as Box;
  const plans = targets.map((target) => planResize(view, target, box));
  const turned = new Set(plans.filter((_, i) => verticalFirst(view, targets[i]!)));
  const working = plans.filter((plan) => (plan.across || plan.down) && !turned.has(plan));
  const results = runPasses(view, working);
  return plans.map((plan) => {
    const data = turned.has(plan) ? rowsFirst(view, plan) : results[working.indexOf(plan)];
    return data ? { width: plan.width, height: plan.height, data } : copyRegion(view, box[0], box[1], plan);
  });
}

const runPasses = (view: View, plans: readonly Plan[]): Uint8Array<ArrayBuffer>[] =>
  plans.length > 0 ? (simdPasses(view, plans) ?? plainPasses(view, plans)) : [];

/** Pillow 13's rule, word for word. */
function verticalFirst(view: View, { width, height, firstPass }: ResizeTarget): boolean {
  const shrinks = view.height - height;
  return firstPass === "cheaper" && shrinks > 0 && shrinks > (view.width - width) * 2;
}

/** The vertical pass, then the horizontal one; undefined where neither changes anything. */
function rowsFirst(view: View, { width, height, across, down }: Plan): Uint8Array<ArrayBuffer> | undefined {
  const data = down && runPasses(view, [{ width: view.width, height, down }])[0]!;
  if (!across) return data;
  const rows = data ? { data, offset: 0, stride: view.width * 3, width: view.width, height } : view;
  return runPasses(rows, [{ width, height, across }])[0];
}

/** The loops mask their indexes to 30 bits. */
function checkBytes(what: string, bytes: number): void {
  if (bytes > MAX_BYTES) throw new ShapeError(`resize: expected ${what} of at most ${MAX_BYTES} bytes, got ${bytes}`);
}

function planResize(view: View, target: ResizeTarget, [left, top, right, bottom]: Box): Plan {
  const { width, height, filter } = target;
  checkSide("resize: width", width);
  checkSide("resize: height", height);
  checkBytes("a result between and after the passes", width * Math.max(height, view.height) * 3);
  if (Number.isInteger(left) && Number.isInteger(top) && right - left === width && bottom - top === height)
    return { width, height };
  const across = { size: view.width, from: left, to: right, outputs: width };
  const down = { size: view.height, from: top, to: bottom, outputs: height };
  return {
    width,
    height,
    ...(width !== view.width || left !== 0 || right !== width ? { across: axisWeights(filter, across) } : {}),
    ...(height !== view.height || top !== 0 || bottom !== height ? { down: axisWeights(filter, down) } : {}),
  };
}

function copyRegion(view: View, left: number, top: number, { width, height }: Plan): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = view.offset + (top + y) * view.stride + left * 3;
    data.set(view.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, data };
}
