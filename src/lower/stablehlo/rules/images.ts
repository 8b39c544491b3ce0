/** Convolution with its two gradients, max-pooling with its gradient and the transpose of that, and enlargement. */
import type { PoolWindow } from "../../../graph/index.ts";
import type { Shape } from "../../../tensor/index.ts";
import type { Rules } from "../rule.ts";
import { ints, repeated, type Type } from "../types.ts";
import type { Attributes, Ref, Writer } from "../writer.ts";
import { precision } from "./kernels.ts";
import { argmax, iota } from "./structure.ts";

export const images: Rules<
  "conv2d" | "conv2dInputGrad" | "conv2dWeightGrad" | "maxPool2d" | "maxPool2dGrad" | "maxPool2dTake" | "upsample2d"
> = {
  conv2d: (w, _, [x, weight], { padding, ...window }, result) =>
    convolution(w, result, x!, weight!, { ...IMAGES, ...window, padding: [pair(padding), pair(padding)] }),
  // The gradient spread out by the stride, convolved with the turned kernel.
  conv2dInputGrad: (w, _, [g, weight], { stride, padding, dilation, groups, height, width }, result) => {
    const sides = [height, width].map((n, i) => {
      const [grad, reach] = [g!.shape[i + 2]!, (weight!.shape[i + 2]! - 1) * dilation];
      const before = reach - padding;
      return [before, n - ((grad - 1) * stride + 1) - before + reach] as const;
    });
    const kernel = groupsBeside(w, weight!, groups);
    return convolution(w, result, g!, kernel, { ...TURNED, spread: stride, dilation, groups, padding: sides });
  },
  // Convolution of x with g where channels and batch change places, and the strides and dilations.
  conv2dWeightGrad: (w, _, [x, g], { stride, padding, dilation, groups, kernel }, result) => {
    const sides = [2, 3].map((i) => {
      const seen = (g!.shape[i]! - 1) * stride + (kernel - 1) * dilation + 1; // what the windows cover of x and its padding
      return [padding, seen - x!.shape[i]! - padding] as const;
    });
    const window = { stride: dilation, dilation: stride, parts: groups, padding: sides };
    return convolution(w, result, x!, g!, { ...SWAPPED, ...window });
  },
  maxPool2d: (w, _, [x], window) =>
    w.reduce("maximum", lines(w, x!, window, Number.NEGATIVE_INFINITY), [4], Number.NEGATIVE_INFINITY),
  maxPool2dGrad: (w, value, [x, g], window) => {
    const hit = firstMaxima(w, x!, window);
    const spread = w.along(g!, hit.shape, [0, 1, 2, 3]);
    const rows = w.op("select", [hit, spread, w.number(0, spread)], spread);
    return isDisjoint(window) ? joined(w, rows, value.shape, window) : addedBack(w, rows, value.shape, window);
  },
  maxPool2dTake: (w, _, [x, y], window) => {
    const hit = firstMaxima(w, x!, window);
    const rows = lines(w, y!, window, 0);
    return w.reduce("add", w.op("select", [hit, rows, w.number(0, rows)], rows), [4], 0);
  },
  upsample2d: (w, value, [x], { factor }) => {
    const [b, c, h, v] = x!.shape as [number, number, number, number];
    return w.reshape(w.along(x!, [b, c, h, factor, v, factor], [0, 1, 2, 4]), value.shape);
  },
};

/** (O, C, k, l) → (O / groups, groups·C, k, l): what a grouped convolution takes as (in, out). */
function groupsBeside(w: Writer, weight: Ref, groups: number): Ref {
  if (groups === 1) return weight;
  const [o, c, k, l] = weight.shape as [number, number, number, number];
  const turned = w.transpose(w.reshape(weight, [groups, o / groups, c, k, l]), [1, 0, 2, 3, 4]);
  return w.reshape(turned, [o / groups, groups * c, k, l]);
}

/** Whether no element is in two windows and none is padding. */
const isDisjoint = ({ kernel, stride, padding }: PoolWindow): boolean => kernel === stride && padding === 0;

/** (B, C, H, W) with the windows' rows and columns as axes of their own: (B, C, H/k, k, W/k, k). */
const cut = ([b, c, h, v]: Shape, kernel: number): Shape => [b!, c!, h! / kernel, kernel, v! / kernel, kernel];

/** Every window as a line, with `outside` where it is over the edge: (B, C, h, w, k²). */
function lines(w: Writer, x: Ref, window: PoolWindow, outside: number): Ref {
  if (!isDisjoint(window)) return overlappingLines(w, x, window, outside);
  const turned = w.transpose(w.reshape(x, cut(x.shape, window.kernel)), [0, 1, 2, 4, 3, 5]);
  return w.reshape(turned, [...turned.shape.slice(0, 4), window.kernel ** 2]);
}

/** The lines of disjoint windows, put together again. */
function joined(w: Writer, rows: Ref, shape: Shape, { kernel }: PoolWindow): Ref {
  const [b, c, h, , v] = cut(shape, kernel) as [number, number, number, number, number];
  return w.reshape(w.transpose(w.reshape(rows, [b, c, h, v, kernel, kernel]), [0, 1, 2, 4, 3, 5]), shape);
}

/** Places of a window in reading order: [row, column]. */
const placesOf = ({ kernel }: PoolWindow): (readonly [number, number])[] =>
  Array.from({ length: kernel ** 2 }, (_, i) => [Math.floor(i / kernel), i % kernel] as const);

function overlappingLines(w: Writer, x: Ref, window: PoolWindow, outside: number): Ref {
  const { kernel, stride, padding } = window;
  const [b, c, h, v] = x.shape as [number, number, number, number];
  const [H, V] = [h + 2 * padding, v + 2 * padding];
  const edge = { edge_padding_low: ints([0, 0, padding, padding]), edge_padding_high: ints([0, 0, padding, padding]) };
  const wide = { shape: [b, c, H, V], dtype: x.dtype };
  const value = w.number(outside, { shape: [], dtype: x.dtype });
  const padded = w.op("pad", [x, value], wide, { ...edge, interior_padding: repeated(4, 0) });
  const [rows, columns] = [H, V].map((n) => Math.floor((n - kernel) / stride) + 1) as [number, number];
  const parts = placesOf(window).map(([i, j]) => {
    const limit = ints([b, c, i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1]);
    const attrs = { start_indices: ints([0, 0, i, j]), limit_indices: limit, strides: ints([1, 1, stride, stride]) };
    const part = w.op("slice", [padded], { shape: [b, c, rows, columns], dtype: x.dtype }, attrs);
    return w.reshape(part, [b, c, rows, columns, 1]);
  });
  const shape = [b, c, rows, columns, parts.length];
  return w.op("concatenate", parts, { shape, dtype: x.dtype }, { dimension: "4 : i64" });
}

/** The lines of overlapping windows, added up where they came from. */
function addedBack(w: Writer, rows: Ref, shape: Shape, window: PoolWindow): Ref {
  const { stride, padding } = window;
  const [b, c, h, v] = rows.shape as [number, number, number, number];
  const zero = w.number(0, { shape: [], dtype: rows.dtype });
  const result = { shape, dtype: rows.dtype };
  const parts = placesOf(window).map(([i, j], at) => {
    const attrs = {
      start_indices: ints([0, 0, 0, 0, at]),
      limit_indices: ints([b, c, h, v, at + 1]),
      strides: repeated(5, 1),
    };
    const part = w.reshape(w.op("slice", [rows], { shape: [b, c, h, v, 1], dtype: rows.dtype }, attrs), [b, c, h, v]);
    const before = [i - padding, j - padding];
    const after = [h, v].map((n, axis) => shape[axis + 2]! - before[axis]! - ((n - 1) * stride + 1));
    const edges = { edge_padding_low: ints([0, 0, ...before]), edge_padding_high: ints([0, 0, ...after]) };
    return w.op("pad", [part, zero], result, { ...edges, interior_padding: ints([0, 0, stride - 1, stride - 1]) });
  });
  return parts.reduce((sum, part) => w.each("add", sum, part));
}

/** True at the first maximum of each window, in its line. */
function firstMaxima(w: Writer, x: Ref, window: PoolWindow): Ref {
  const rows = lines(w, x, window, Number.NEGATIVE_INFINITY);
  const places = iota(w, rows, 4);
  return w.compare("EQ", places, w.along(argmax(w, rows, 4), rows.shape, [0, 1, 2, 3]));
}

type Sides = readonly (readonly [before: number, after: number])[];
const pair = (n: number): readonly [number, number] => [n, n];

interface Convolution {
  /** Axes of the operands and the result. */
  readonly axes: string;
  readonly padding: Sides;
  readonly stride?: number;
  /** Places from one element of x to the next. */
  readonly spread?: number;
  /** Places from one element of the kernel to the next. */
  readonly dilation?: number;
  /** Equal parts of the channels that are convolved apart. */
  readonly groups?: number;
  /** Equal parts of the batch, each convolved with its own part of the kernel's results. */
  readonly parts?: number;
  /** The kernel is read from its end. */
  readonly reversed?: boolean;
}

const IMAGES = { axes: "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]" };
const TURNED = { axes: "[b, f, 0, 1]x[i, o, 0, 1]->[b, f, 0, 1]", reversed: true };
const SWAPPED = { axes: "[f, b, 0, 1]x[i, o, 0, 1]->[f, b, 0, 1]" };

function convolution(w: Writer, result: Type, x: Ref, weight: Ref, options: Convolution): Ref {
  const { axes, padding, stride = 1, spread = 1, dilation = 1 } = options;
  const { groups = 1, parts = 1, reversed = false } = options;
  const attrs: Attributes = {
    dimension_numbers: `#stablehlo.conv<${axes}>`,
    window_strides: repeated(2, stride),
    padding: `dense<[${padding.map((side) => `[${side.join(", ")}]`).join(", ")}]> : tensor<2x2xi64>`,
    lhs_dilation: repeated(2, spread),
    rhs_dilation: repeated(2, dilation),
    window_reversal: `array<i1: ${reversed}, ${reversed}>`,
    feature_group_count: `${groups} : i64`,
    batch_group_count: `${parts} : i64`,
    ...precision(w, x, weight),
  };
  return w.op("convolution", [x, weight], result, attrs);
}
