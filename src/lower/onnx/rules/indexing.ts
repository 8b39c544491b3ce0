/** Gather, and its transpose the scatter-add. */
import { size } from "../../../tensor/index.ts";
import type { Rules } from "../rule.ts";

export const indexing: Rules<"gather" | "scatterAdd"> = {
  gather: (e, _, inputs, { axis }) => e.node("Gather", inputs, { axis: { int: axis } }),
  // ScatterND would take the indices as they are, but its CPU kernel adds to one row from several threads at once.
  scatterAdd: (e, value, [updates, indices], { size: rows }) => {
    const [u, index] = value.inputs;
    if (size(u!.shape) === 0) return e.node("Expand", [e.scalar(0, "float32"), e.ints(value.shape)]);
    const count = size(index!.shape);
    const width = size(u!.shape.slice(index!.shape.length));
    const zeros = e.node("Expand", [e.scalar(0, "float32"), e.ints([rows, width])]);
    const column = e.node("Expand", [e.reshape(indices!, index!.shape, [count, 1]), e.ints([count, width])]);
    const flat = e.reshape(updates!, u!.shape, [count, width]);
    const attrs = { axis: { int: 0 }, reduction: { string: "add" } };
    return e.reshape(e.node("ScatterElements", [zeros, column, flat], attrs), [rows, width], value.shape);
  },
};
