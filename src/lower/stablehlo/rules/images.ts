/** Convolution with its two gradients, max-pooling with its gradient and the transpose of that, and enlargement. */
import type { Shape } from "../../../tensor/index.ts";
import type { Rules } from "../rule.ts";
import { repeated, type Type } from "../types.ts";
import type { Attributes, Ref, Writer } from "../writer.ts";
import { precision } from "./kernels.ts";
import { argmax, iota } from "./structure.ts";

export const images: Rules<
  "conv2d" | "conv2dInputGrad" | "conv2dWeightGrad" | "maxPool2d" | "maxPool2dGrad" | "maxPool2dTake" | "upsample2d"
> = {
  conv2d: (w, _, [x, weight], { stride, padding }, result) =>
    convolution(w, result, x!, weight!, { ...IMAGES, stride, padding: [pair(padding), pair(padding)] }),
  // The gradient spread out by the stride, convolved with the turned kernel.
  conv2dInputGrad: (w, _, [g, weight], { stride, padding, height, width }, result) => {
    const sides = [height, width].map((n, i) => {
      const [grad, kernel] = [g!.shape[i + 2]!, weight!.shape[i + 2]!];
      const before = kernel - 1 - padding;
      return [before, n - ((grad - 1) * stride + 1) - before + kernel - 1] as const;
    });
    return convolution(w, result, g!, weight!, { ...TURNED, spread: stride, padding: sides });
  },
  // Convolution of x with g where channels and batch change places and the stride is between the elements of g.
  conv2dWeightGrad: (w, _, [x, g], { stride, padding, kernel }, result) => {
    const sides = [2, 3].map((i) => {
      const seen = (g!.shape[i]! - 1) * stride + kernel; // what the windows cover of x and its padding
      return [padding, seen - x!.shape[i]! - padding] as const;
    });
    return convolution(w, result, x!, g!, { ...SWAPPED, dilation: stride, padding: sides });
  },
  maxPool2d: (w, _, [x], { kernel }) =>
    w.reduce("maximum", w.reshape(x!, cut(x!.shape, kernel)), [3, 5], Number.NEGATIVE_INFINITY),
  maxPool2dGrad: (w, value, [x, g], { kernel }) => {
    const hit = firstMaxima(w, x!, kernel);
    const spread = w.along(g!, hit.shape, [0, 1, 2, 3]);
    const rows = w.op("select", [hit, spread, w.number(0, spread)], spread);
    const [b, c, h, , v] = cut(x!.shape, kernel) as [number, number, number, number, number];
    return w.reshape(w.transpose(w.reshape(rows, [b, c, h, v, kernel, kernel]), [0, 1, 2, 4, 3, 5]), value.shape);
  },
  maxPool2dTake: (w, _, [x, y], { kernel }) => {
    const hit = firstMaxima(w, x!, kernel);
    const rows = lines(w, y!, kernel);
    return w.reduce("add", w.op("select", [hit, rows, w.number(0, rows)], rows), [4], 0);
  },
  upsample2d: (w, value, [x], { factor }) => {
    const [b, c, h, v] = x!.shape as [number, number, number, number];
    return w.reshape(w.along(x!, [b, c, h, factor, v, factor], [0, 1, 2, 4]), value.shape);
  },
};

/** (B, C, H, W) with the windows' rows and columns as axes of their own: (B, C, H/k, k, W/k, k). */
const cut = ([b, c, h, v]: Shape, kernel: number): Shape => [b!, c!, h! / kernel, kernel, v! / kernel, kernel];

/** Every window as a line: (B, C, H/k, W/k, k²). */
function lines(w: Writer, x: Ref, kernel: number): Ref {
  const turned = w.transpose(w.reshape(x, cut(x.shape, kernel)), [0, 1, 2, 4, 3, 5]);
  return w.reshape(turned, [...turned.shape.slice(0, 4), kernel * kernel]);
}

/** True at the first maximum of each window, in its line. */
function firstMaxima(w: Writer, x: Ref, kernel: number): Ref {
  const rows = lines(w, x, kernel);
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
  /** The kernel is read from its end. */
  readonly reversed?: boolean;
}

const IMAGES = { axes: "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]" };
const TURNED = { axes: "[b, f, 0, 1]x[i, o, 0, 1]->[b, f, 0, 1]", reversed: true };
const SWAPPED = { axes: "[f, b, 0, 1]x[i, o, 0, 1]->[f, b, 0, 1]" };

function convolution(w: Writer, result: Type, x: Ref, weight: Ref, options: Convolution): Ref {
  const { axes, padding, stride = 1, spread = 1, dilation = 1, reversed = false } = options;
  const attrs: Attributes = {
    dimension_numbers: `#stablehlo.conv<${axes}>`,
    window_strides: repeated(2, stride),
    padding: `dense<[${padding.map((side) => `[${side.join(", ")}]`).join(", ")}]> : tensor<2x2xi64>`,
    lhs_dilation: repeated(2, spread),
    rhs_dilation: repeated(2, dilation),
    window_reversal: `array<i1: ${reversed}, ${reversed}>`,
    feature_group_count: "1 : i64",
    batch_group_count: "1 : i64",
    ...precision(x, weight),
  };
  return w.op("convolution", [x, weight], result, attrs);
}
