/** Σ x², as in norms of gradients: ReduceSumSquare, which writes no x². */
import { isOp } from "../../../graph/index.ts";
import type { Fusion } from "../fusion.ts";
import { addUp } from "../rules/structure.ts";

export const sumSquare: Fusion = {
  name: "sumSquare",
  match: (value) => {
    if (!isOp(value, "sum") || value.dtype !== "float32" || value.attrs.axes.length === 0) return undefined;
    const square = value.inputs[0]!;
    if (!isOp(square, "mul") || square.inputs[0] !== square.inputs[1]) return undefined;
    return { operands: [square.inputs[0]!], emit: (e, [x]) => addUp(e, "ReduceSumSquare", value, x!) };
  },
};
