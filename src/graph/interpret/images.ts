/** Convolution (as a matrix product of unfolded patches), pooling and enlargement of images (B, C, H, W). */
import type { Shape } from "../../tensor/index.ts";
import { addProduct, rowsOf } from "./product.ts";
import type { Data } from "./storage.ts";

/** Sizes of one convolution: x (B, C, H, W), weight (O, C, k, l), result (B, O, h, w). */
interface Sizes {
  x: Shape;
  weight: Shape;
  y: Shape;
  stride: number;
  padding: number;
}

/**
 * For every place of one image that a kernel sees, calls `row` with: where the run begins in the unfolded array (h·w, C·k·l)
 * and in the image, and how many elements it has. Places in the padding are left out.
 */
function forPatches({ x, weight, y, stride, padding }: Sizes, row: (patch: number, image: number, n: number) => void) {
  const [, C, H, W] = x as [number, number, number, number];
  const [, , kh, kw] = weight as [number, number, number, number];
  const [, , h, w] = y as [number, number, number, number];
  for (let oy = 0; oy < h; oy++)
    for (let ox = 0; ox < w; ox++) {
      const left = ox * stride - padding;
      const [from, to] = [Math.max(0, -left), Math.min(kw, W - left)];
      if (from >= to) continue;
      for (let c = 0; c < C; c++)
        for (let ky = 0; ky < kh; ky++) {
          const iy = oy * stride - padding + ky;
          if (iy < 0 || iy >= H) continue;
          row((((oy * w + ox) * C + c) * kh + ky) * kw + from, (c * H + iy) * W + left + from, to - from);
        }
    }
}

const area = (shape: Shape): number => shape[1]! * shape[2]! * shape[3]!;

/** One image as rows, a row for each place of the kernel: (h·w, C·k·l). */
function unfold(x: Data, image: number, sizes: Sizes): Float64Array {
  const start = image * area(sizes.x);
  const [, C, H, W] = sizes.x as [number, number, number, number];
  const pointwise = area(sizes.weight) === C && sizes.stride === 1 && sizes.padding === 0;
  if (pointwise) return rowsOf(x, start, C, H * W, true);
  const out = new Float64Array(sizes.y[2]! * sizes.y[3]! * area(sizes.weight));
  forPatches(sizes, (p, q, n) => {
    for (let i = 0; i < n; i++) out[p + i] = x[start + q + i]!;
  });
  return out;
}

export function conv2d(x: Data, weight: Data, sizes: Sizes, out: Data): Data {
  const [B, O] = sizes.y as [number, number];
  const kernels = rowsOf(weight, 0, O, area(sizes.weight), false);
  for (let b = 0; b < B; b++) {
    const y = new Float64Array(area(sizes.y));
    addProduct(kernels, unfold(x, b, sizes), area(sizes.weight), y);
    out.set(y, b * y.length);
  }
  return out;
}

/** Gradient of x: the gradient of every unfolded patch, added back to where it came from. */
export function conv2dInputGrad(g: Data, weight: Data, sizes: Sizes, out: Data): Data {
  const [B, O] = sizes.y as [number, number];
  const places = sizes.y[2]! * sizes.y[3]!;
  const kernels = rowsOf(weight, 0, O, area(sizes.weight), true);
  for (let b = 0; b < B; b++) {
    const patches = new Float64Array(places * area(sizes.weight));
    addProduct(rowsOf(g, b * area(sizes.y), O, places, true), kernels, O, patches);
    const image = new Float64Array(area(sizes.x));
    forPatches(sizes, (p, q, n) => {
      for (let i = 0; i < n; i++) image[q + i] = image[q + i]! + patches[p + i]!;
    });
    out.set(image, b * image.length);
  }
  return out;
}

export function conv2dWeightGrad(x: Data, g: Data, sizes: Sizes, out: Data): Data {
  const [B, O] = sizes.y as [number, number];
  const places = sizes.y[2]! * sizes.y[3]!;
  const total = new Float64Array(out.length);
  for (let b = 0; b < B; b++) {
    const patches = rowsOf(unfold(x, b, sizes), 0, places, area(sizes.weight), true);
    addProduct(rowsOf(g, b * area(sizes.y), O, places, false), patches, places, total);
  }
  out.set(total);
  return out;
}

/** Calls `window` with the index of the first maximum of every window of x, in the order of the pooled array. */
function forMaxima(x: Data, shape: Shape, kernel: number, window: (at: number, pooled: number) => void): void {
  const [B, C, H, W] = shape as [number, number, number, number];
  let pooled = 0;
  for (let image = 0; image < B * C; image++)
    for (let y = 0; y < H; y += kernel)
      for (let left = 0; left < W; left += kernel) {
        const start = (image * H + y) * W + left;
        let best = start;
        for (let i = 0; i < kernel; i++)
          for (let j = 0; j < kernel; j++) if (x[start + i * W + j]! > x[best]!) best = start + i * W + j;
        window(best, pooled++);
      }
}

export function maxPool2d(x: Data, shape: Shape, kernel: number, out: Data): Data {
  forMaxima(x, shape, kernel, (at, pooled) => {
    out[pooled] = x[at]!;
  });
  return out;
}

export function maxPool2dGrad(x: Data, shape: Shape, g: Data, kernel: number, out: Data): Data {
  forMaxima(x, shape, kernel, (at, pooled) => {
    out[at] = g[pooled]!;
  });
  return out;
}

export function maxPool2dTake(x: Data, shape: Shape, y: Data, kernel: number, out: Data): Data {
  forMaxima(x, shape, kernel, (at, pooled) => {
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
