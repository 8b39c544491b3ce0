/** Gather, and its transpose the scatter-add. */
import type { Rules } from "../rule.ts";
import { ints } from "../types.ts";
import type { Ref, Writer } from "../writer.ts";

const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, i) => start + i);
const list = (values: readonly number[]): string => `[${values.join(", ")}]`;

export const indexing: Rules<"gather" | "scatterAdd"> = {
  gather: (w, value, [x, indices], { axis }) => {
    const k = indices!.shape.length;
    const offsets = [...range(0, axis), ...range(axis + k, value.shape.length)];
    const numbers =
      `offset_dims = ${list(offsets)}, collapsed_slice_dims = [${axis}], start_index_map = [${axis}], ` +
      `index_vector_dim = ${k}`;
    return w.op("gather", [x!, indices!], value, {
      dimension_numbers: `#stablehlo.gather<${numbers}>`,
      slice_sizes: ints(x!.shape.map((n, i) => (i === axis ? 1 : n))),
      indices_are_sorted: "false",
    });
  },
  scatterAdd: (w, value, [updates, indices]) => {
    const k = indices!.shape.length;
    const window = range(k, updates!.shape.length);
    const numbers =
      `update_window_dims = ${list(window)}, inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], ` +
      `index_vector_dim = ${k}`;
    const attrs = {
      scatter_dimension_numbers: `#stablehlo.scatter<${numbers}>`,
      indices_are_sorted: "false",
      unique_indices: "false",
    };
    const element = { shape: [], dtype: value.dtype };
    const body = (inner: Writer, [a, b]: readonly Ref[]): Ref[] => [inner.each("add", a!, b!)];
    const operands = [w.number(0, value), indices!, updates!];
    return w.op("scatter", operands, value, attrs, { parameters: [element, element], body });
  },
};
