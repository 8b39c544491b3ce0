/** Convolution with its two gradients, max-pooling with its gradient and the transpose of that, and enlargement. */
import type { ConvWindow, PoolWindow, Value } from "../../../graph/index.ts";
import { fromNumbers, type Shape, size } from "../../../tensor/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Rules } from "../rule.ts";
import type { Attributes } from "../schema.ts";

const SWAP = { perm: { ints: [1, 0, 2, 3] } };

export const images: Rules<
  "conv2d" | "conv2dInputGrad" | "conv2dWeightGrad" | "maxPool2d" | "maxPool2dGrad" | "maxPool2dTake" | "upsample2d"
> = {
  conv2d: (e, _, inputs, window) => e.node("Conv", inputs, convolution(window)),
  conv2dInputGrad: (e, value, inputs, { height, width, ...window }) => {
    const [g, w] = value.inputs as [Value, Value];
    const { stride, padding, dilation } = window;
    const seen = (i: number): number => (g.shape[i]! - 1) * stride + (w.shape[i]! - 1) * dilation + 1 - 2 * padding;
    const output_padding = { ints: [height - seen(2), width - seen(3)] };
    return e.node("ConvTranspose", inputs, { ...convolution(window), output_padding });
  },
  // The kernel's gradient is a convolution of x with g where channels and batch change places, and strides and dilations.
  conv2dWeightGrad: (e, value, [x, g], { kernel, ...window }) => {
    const { stride, padding, dilation, groups } = window;
    const [image, grad] = value.inputs.map((v) => v.shape) as [number[], number[]];
    const swapped = [channelsFirst(e, x!, image, groups), e.node("Transpose", [g!], SWAP)];
    let y = e.node("Conv", swapped, convolution({ stride: dilation, padding, dilation: stride, groups }));
    const full = [2, 3].map((i) => Math.floor((image[i]! + 2 * padding - (grad[i]! - 1) * stride - 1) / dilation) + 1);
    if (full.some((n) => n !== kernel))
      y = e.node("Slice", [y, e.ints([0, 0]), e.ints([kernel, kernel]), e.ints([2, 3])]);
    return e.node("Transpose", [y], SWAP);
  },
  maxPool2d: (e, _, inputs, window) => e.node("MaxPool", inputs, pooling(window)),
  maxPool2dGrad: (e, value, [x, g], window) => {
    const at = places(e, x!, value.inputs[0]!.shape, window);
    if (isDisjoint(window) && e.target === "any")
      return e.node("MaxUnpool", [g!, at, e.ints(value.shape)], pooling(window));
    const shape = value.inputs[1]!.shape;
    const [flat, zeros] = [[size(shape)], e.node("Expand", [e.scalar(0, "float32"), e.ints([size(value.shape)])])];
    const rows = [zeros, e.reshape(at, shape, flat), e.reshape(g!, shape, flat)];
    const sums = e.node("ScatterElements", rows, { axis: { int: 0 }, reduction: { string: "add" } });
    return e.reshape(sums, [size(value.shape)], value.shape);
  },
  maxPool2dTake: (e, value, [x, y], window) => {
    const flat = e.reshape(y!, value.inputs[1]!.shape, [size(value.inputs[1]!.shape)]);
    return e.node("Gather", [flat, places(e, x!, value.inputs[0]!.shape, window)], { axis: { int: 0 } });
  },
  upsample2d: (e, value, [x], { factor }) => {
    const [b, c, h, w] = value.inputs[0]!.shape as [number, number, number, number];
    const open = e.reshape(x!, value.inputs[0]!.shape, [b, c, h, 1, w, 1]);
    const wide = [b, c, h, factor, w, factor];
    return e.reshape(e.node("Expand", [open, e.ints(wide)]), wide, value.shape);
  },
};

/** Places of the first maximum of each window, counted in the whole tensor; made once for all who ask. */
const places = (e: Emitter, x: string, shape: Shape, window: PoolWindow): string =>
  e.once(`MaxPool ${Object.values(window)} ${x}`, () =>
    e.target === "any"
      ? e.multi("MaxPool", [x], pooling(window), { count: 2 })
      : ["", comparedPlaces(e, x, shape, window)],
  )[1]!;

const LOWEST = -3.4028234663852886e38;

/** The same without MaxPool's second result: from the last element of the windows to the first, its place where it is the maximum. */
function comparedPlaces(e: Emitter, x: string, [b, c, h, w]: Shape, window: PoolWindow): string {
  const { kernel, stride, padding } = window;
  const most = e.node("MaxPool", [x], pooling(window));
  const sides = [0, 0, padding, padding];
  const open = padding > 0 ? e.node("Pad", [x, e.ints([...sides, ...sides]), e.scalar(LOWEST, "float32")]) : x;
  const [rows, columns] = [h!, w!].map((n) => Math.floor((n + 2 * padding - kernel) / stride) + 1) as [number, number];
  const count = (n: number, each: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => each(i));
  const planes = count(b! * c!, (i) => i * h! * w!);
  const corners = count(rows * columns, (i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return (row * stride - padding) * w! + column * stride - padding;
  });
  const first = e.node("Add", [
    e.constant(fromNumbers(planes, [b!, c!, 1, 1], "int32")),
    e.constant(fromNumbers(corners, [1, 1, rows, columns], "int32")),
  ]);
  let found = first;
  for (let i = kernel ** 2 - 1; i >= 0; i--) {
    const [dy, dx] = [Math.floor(i / kernel), i % kernel];
    const ends = [dy + (rows - 1) * stride + 1, dx + (columns - 1) * stride + 1];
    const seen = e.node("Slice", [open, e.ints([dy, dx]), e.ints(ends), e.ints([2, 3]), e.ints([stride, stride])]);
    const at = i === 0 ? first : e.node("Add", [first, e.scalar(dy * w! + dx, "int32")]);
    found = e.node("Where", [e.node("Equal", [seen, most]), at, found]);
  }
  return found;
}

/** Whether no element is in two windows and none is padding: what MaxUnpool undoes. */
const isDisjoint = ({ kernel, stride, padding }: PoolWindow): boolean => kernel === stride && padding === 0;

/** (B, C, H, W) → (C / groups, groups·B, H, W). */
function channelsFirst(e: Emitter, x: string, shape: Shape, groups: number): string {
  if (groups === 1) return e.node("Transpose", [x], SWAP);
  const [b, c, h, w] = shape as [number, number, number, number];
  const each = c / groups;
  const parts = e.reshape(x, shape, [b, groups, each, h, w]);
  const turned = e.node("Transpose", [parts], { perm: { ints: [2, 1, 0, 3, 4] } });
  return e.reshape(turned, [each, groups, b, h, w], [each, groups * b, h, w]);
}

const convolution = ({ stride, padding, dilation, groups }: ConvWindow): Attributes => ({
  strides: { ints: [stride, stride] },
  pads: { ints: [padding, padding, padding, padding] },
  ...(dilation === 1 ? {} : { dilations: { ints: [dilation, dilation] } }),
  ...(groups === 1 ? {} : { group: { int: groups } }),
});

const pooling = ({ kernel, stride, padding }: PoolWindow): Attributes => ({
  kernel_shape: { ints: [kernel, kernel] },
  strides: { ints: [stride, stride] },
  ...(padding === 0 ? {} : { pads: { ints: [padding, padding, padding, padding] } }),
});
