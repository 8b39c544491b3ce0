/** Convolution (as a matrix product of unfolded patches), pooling and enlargement of images (B, C, H, W). */
import type { Shape } from "../../tensor/index.ts";
import type { ConvWindow, PoolWindow } from "../primitives.ts";
import { addProduct, rowsOf } from "./product.ts";
import type { Data } from "./storage.ts";

/** Sizes of one convolution: x (B, C, H, W), weight (O, C / groups, k, l), result (B, O, h, w). */
interface Sizes extends ConvWindow {
  x: Shape;
  weight: Shape;
  y: Shape;
}

/**
 * For every place of one image that a kernel sees, calls `row` with: where the run begins in the unfolded array (h·w, C·k·l)
 * and in the image, how many elements it has, and how far apart they are in the image. Places in the padding are left out.
 */
function forPatches(
  { x, weight, y, stride, padding, dilation }: Sizes,
  row: (patch: number, image: number, n: number, step: number) => void,
) {
  const [, , H, W] = x as [number, number, number, number];
  const [, C, kh, kw] = weight as [number, number, number, number];
  const [, , h, w] = y as [number, number, number, number];
  for (let oy = 0; oy < h; oy++)
    for (let ox = 0; ox < w; ox++) {
      const left = ox * stride - padding;
      const from = left < 0 ? Math.ceil(-left / dilation) : 0;
      const to = Math.min(kw, Math.ceil((W - left) / dilation));
      if (from >= to) continue;
      for (let c = 0; c < C; c++)
        for (let ky = 0; ky < kh; ky++) {
          const iy = oy * stride - padding + ky * dilation;
          if (iy < 0 || iy >= H) continue;
          const patch = (((oy * w + ox) * C + c) * kh + ky) * kw + from;
          row(patch, (c * H + iy) * W + left + from * dilation, to - from, dilation);
        }
    }
}

const area = (shape: Shape): number => shape[1]! * shape[2]! * shape[3]!;
const places = (shape: Shape): number => shape[2]! * shape[3]!;

/** Calls `part` for each image and each group of its channels, with where they begin in x, in the weight and in y. */
function forGroups(
  { x, weight, y, groups }: Sizes,
  part: (at: { x: number; weight: number; y: number }, outputs: number) => void,
) {
  const outputs = weight[0]! / groups;
  for (let b = 0; b < x[0]!; b++)
    for (let g = 0; g < groups; g++)
      part(
        {
          x: b * area(x) + g * weight[1]! * places(x),
          weight: g * outputs * area(weight),
          y: b * area(y) + g * outputs * places(y),
        },
        outputs,
      );
}

/** One group of channels of one image as rows, a row for each place of the kernel: (h·w, C·k·l). */
function unfold(x: Data, start: number, sizes: Sizes): Float64Array {
  const { weight, stride, padding } = sizes;
  const pointwise = places(weight) === 1 && stride === 1 && padding === 0;
  if (pointwise) return rowsOf(x, start, weight[1]!, places(sizes.x), true);
  const out = new Float64Array(places(sizes.y) * area(weight));
  forPatches(sizes, (p, q, n, step) => {
    for (let i = 0; i < n; i++) out[p + i] = x[start + q + i * step]!;
  });
  return out;
}

export function conv2d(x: Data, weight: Data, sizes: Sizes, out: Data): Data {
  forGroups(sizes, (at, O) => {
    const y = new Float64Array(O * places(sizes.y));
    const kernels = rowsOf(weight, at.weight, O, area(sizes.weight), false);
    addProduct(kernels, unfold(x, at.x, sizes), area(sizes.weight), y);
    out.set(y, at.y);
  });
  return out;
}

/** Gradient of x: the gradient of every unfolded patch, added back to where it came from. */
export function conv2dInputGrad(g: Data, weight: Data, sizes: Sizes, out: Data): Data {
  forGroups(sizes, (at, O) => {
    const patches = new Float64Array(places(sizes.y) * area(sizes.weight));
    const kernels = rowsOf(weight, at.weight, O, area(sizes.weight), true);
    addProduct(rowsOf(g, at.y, O, places(sizes.y), true), kernels, O, patches);
    const image = new Float64Array(sizes.weight[1]! * places(sizes.x));
    forPatches(sizes, (p, q, n, step) => {
      for (let i = 0; i < n; i++) image[q + i * step]! += patches[p + i]!;
    });
    out.set(image, at.x);
  });
  return out;
}

export function conv2dWeightGrad(x: Data, g: Data, sizes: Sizes, out: Data): Data {
  const total = new Float64Array(out.length);
  forGroups(sizes, (at, O) => {
    const patches = rowsOf(unfold(x, at.x, sizes), 0, places(sizes.y), area(sizes.weight), true);
    const part = total.subarray(at.weight, at.weight + O * area(sizes.weight));
    addProduct(rowsOf(g, at.y, O, places(sizes.y), false), patches, places(sizes.y), part);
  });
  out.set(total);
  return out;
}

/** Calls `window` with the index of the first maximum of every window of x, in the order of the pooled array. */
function forMaxima(
  x: Data,
  shape: Shape,
  { kernel, stride, padding }: PoolWindow,
  window: (at: number, pooled: number) => void,
): void {
  const [B, C, H, W] = shape as [number, number, number, number];
  const last = (n: number): number => n + padding - kernel;
  let pooled = 0;
  for (let image = 0; image < B * C; image++)
    for (let top = -padding; top <= last(H); top += stride)
      for (let left = -padding; left <= last(W); left += stride) {
        const rows = (image * H + Math.max(0, top)) * W;
        let best = rows + Math.max(0, left);
        for (let i = Math.max(0, top); i < Math.min(H, top + kernel); i++)
          for (let j = Math.max(0, left); j < Math.min(W, left + kernel); j++) {
            const at = (image * H + i) * W + j;
            if (x[at]! > x[best]!) best = at;
          }
        window(best, pooled++);
      }
}

export function maxPool2d(x: Data, shape: Shape, window: PoolWindow, out: Data): Data {
  forMaxima(x, shape, window, (at, pooled) => {
    out[pooled] = x[at]!;
  });
  return out;
}

export function maxPool2dGrad(x: Data, shape: Shape, g: Data, window: PoolWindow, out: Data): Data {
  const sums = new Float64Array(out.length);
  forMaxima(x, shape, window, (at, pooled) => {
    sums[at]! += g[pooled]!;
  });
  out.set(sums);
  return out;
}

export function maxPool2dTake(x: Data, shape: Shape, y: Data, window: PoolWindow, out: Data): Data {
  forMaxima(x, shape, window, (at, pooled) => {
    out[pooled] = y[at]!;
  });
  return out;
}

/** Every pixel becomes a factor × factor square. */
export function upsample2d(x: Data, shape: Shape, factor: number, out: Data): Data {
  const [B, C, H, W] = shape as [number, number, number, number];
  let p = 0;
  for (let row = 0; row < B * C * H; row++)
    for (let i = 0; i < factor; i++)
      for (let j = 0; j < W * factor; j++) out[p++] = x[row * W + Math.floor(j / factor)]!;
  return out;
}
