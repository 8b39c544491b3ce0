/** The matcher `toBeAllclose`: closeness of tensors, with the worst element in the message. */
import { expect } from "vitest";
import { compareTensors, formatDifference, type Tolerance } from "../../src/tensor/compare.ts";
import { formatShape, sameShape, type Tensor } from "../../src/tensor/index.ts";

/** A tensor, or plain numbers, which are a tensor of one axis. */
export type TensorLike = Tensor | ArrayLike<number>;

function asTensor(x: TensorLike): Tensor {
  if ("dtype" in x) return x;
  return { dtype: "float64", shape: [x.length], data: Float64Array.from(x) };
}

expect.extend({
  toBeAllclose(received: TensorLike, expected: TensorLike, tolerance: Tolerance = {}) {
    const [actual, wanted] = [asTensor(received), asTensor(expected)];
    if (!sameShape(actual.shape, wanted.shape))
      return {
        pass: false,
        message: () => `expected a tensor of shape ${formatShape(wanted.shape)}, got ${formatShape(actual.shape)}`,
      };
    const difference = compareTensors(actual, wanted, tolerance);
    const limits = `rtol ${tolerance.rtol ?? 0}, atol ${tolerance.atol ?? 0}`;
    return {
      pass: difference.close,
      message: () =>
        `expected tensors ${difference.close ? "not " : ""}to be close (${limits}): ${formatDifference(difference)}`,
    };
  },
});

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: the declaration in vitest, which this one joins, has this parameter.
  interface Matchers<T = any> {
    /** Every element of a tensor is within `atol + rtol·|expected|` of the expected one; the shapes are equal. */
    toBeAllclose(expected: TensorLike, tolerance?: Tolerance): void;
  }
}
