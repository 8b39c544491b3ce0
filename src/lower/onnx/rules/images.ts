/** Convolution with its two gradients, max-pooling with its gradient and the transpose of that, and enlargement. */
import type { Value } from "../../../graph/index.ts";
import { size } from "../../../tensor/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Rules } from "../rule.ts";
import type { Attributes } from "../schema.ts";

const SWAP = { perm: { ints: [1, 0, 2, 3] } };

export const images: Rules<
  "conv2d" | "conv2dInputGrad" | "conv2dWeightGrad" | "maxPool2d" | "maxPool2dGrad" | "maxPool2dTake" | "upsample2d"
> = {
  conv2d: (e, _, inputs, { stride, padding }) => e.node("Conv", inputs, window(stride, padding)),
  conv2dInputGrad: (e, value, inputs, { stride, padding, height, width }) => {
    const [g, w] = value.inputs as [Value, Value];
    const rest = (n: number, i: number): number => n - ((g.shape[i]! - 1) * stride + w.shape[i]! - 2 * padding);
    const output_padding = { ints: [rest(height, 2), rest(width, 3)] };
    return e.node("ConvTranspose", inputs, { ...window(stride, padding), output_padding });
  },
  // The kernel's gradient is a convolution of x with g where channels and batch change places and strides become dilations.
  conv2dWeightGrad: (e, value, [x, g], { stride, padding, kernel }) => {
    const swapped = [x!, g!].map((name) => e.node("Transpose", [name], SWAP));
    const dilations = { ints: [stride, stride] };
    let y = e.node("Conv", swapped, { ...window(1, padding), dilations });
    const [image, grad] = value.inputs.map((v) => v.shape) as [number[], number[]];
    const full = [2, 3].map((i) => image[i]! + 2 * padding - (grad[i]! - 1) * stride);
    if (full.some((n) => n !== kernel))
      y = e.node("Slice", [y, e.ints([0, 0]), e.ints([kernel, kernel]), e.ints([2, 3])]);
    return e.node("Transpose", [y], SWAP);
  },
  maxPool2d: (e, _, inputs, { kernel }) => e.node("MaxPool", inputs, pooling(kernel)),
  maxPool2dGrad: (e, value, [x, g], { kernel }) =>
    e.node("MaxUnpool", [g!, places(e, x!, kernel), e.ints(value.shape)], pooling(kernel)),
  maxPool2dTake: (e, value, [x, y], { kernel }) => {
    const flat = e.reshape(y!, value.inputs[1]!.shape, [size(value.inputs[1]!.shape)]);
    return e.node("Gather", [flat, places(e, x!, kernel)], { axis: { int: 0 } });
  },
  upsample2d: (e, value, [x], { factor }) => {
    const [b, c, h, w] = value.inputs[0]!.shape as [number, number, number, number];
    const open = e.reshape(x!, value.inputs[0]!.shape, [b, c, h, 1, w, 1]);
    const wide = [b, c, h, factor, w, factor];
    return e.reshape(e.node("Expand", [open, e.ints(wide)]), wide, value.shape);
  },
};

/** Places of the first maximum of each window, counted in the whole tensor; one node for all who ask. */
const places = (e: Emitter, x: string, kernel: number): string =>
  e.once(`MaxPool ${kernel} ${x}`, () => e.multi("MaxPool", [x], pooling(kernel), { count: 2 }))[1]!;

const window = (stride: number, padding: number): Attributes => ({
  strides: { ints: [stride, stride] },
  pads: { ints: [padding, padding, padding, padding] },
});

const pooling = (kernel: number): Attributes => ({
  kernel_shape: { ints: [kernel, kernel] },
  strides: { ints: [kernel, kernel] },
});
