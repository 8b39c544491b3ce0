/** Primitives that move elements without changing them, and reductions. */
import type { Rules } from "../rule.ts";
import { ints, repeated } from "../types.ts";
import type { Ref, Writer } from "../writer.ts";

export const structure: Rules<
  "barrier" | "reshape" | "permute" | "broadcastTo" | "slice" | "pad" | "concat" | "sum" | "reduceMax" | "argmax"
> = {
  barrier: (w, _, inputs) => w.multi("optimization_barrier", inputs, inputs)[0]!,
  reshape: (w, _, [x], { shape }) => w.reshape(x!, shape),
  permute: (w, _, [x], { perm }) => w.transpose(x!, perm),
  broadcastTo: (w, _, [x], { shape }) => w.broadcast(x!, shape),
  slice: (w, value, inputs, { starts, ends }) => {
    const attrs = { start_indices: ints(starts), limit_indices: ints(ends), strides: repeated(starts.length, 1) };
    return w.op("slice", inputs, value, attrs);
  },
  pad: (w, value, [x], { before, after }) => {
    const zero = w.number(0, { shape: [], dtype: value.dtype });
    const sizes = { edge_padding_low: ints(before), edge_padding_high: ints(after) };
    return w.op("pad", [x!, zero], value, { ...sizes, interior_padding: repeated(before.length, 0) });
  },
  concat: (w, value, inputs, { axis }) => w.op("concatenate", inputs, value, { dimension: `${axis} : i64` }),
  sum: (w, value, [x], { axes }) => w.reshape(w.reduce("add", x!, axes, 0), value.shape),
  reduceMax: (w, value, [x], { axes }) =>
    w.reshape(w.reduce(x!.dtype === "bool" ? "or" : "maximum", x!, axes, lowest(x!)), value.shape),
  argmax: (w, _, [x], { axis }) => argmax(w, x!, axis),
};

/** What every number of a dtype is at least. */
const lowest = ({ dtype }: Ref): number => {
  if (dtype === "bool") return 0;
  return dtype === "int32" ? -(2 ** 31) : dtype === "int64" ? -(2 ** 63) : Number.NEGATIVE_INFINITY;
};

const LAST = 2 ** 31 - 1;

/** Index (int32) of the first maximum along an axis, which goes away: the largest pair (element, −index). */
export function argmax(w: Writer, x: Ref, axis: number): Ref {
  const shape = x.shape.filter((_, i) => i !== axis);
  const [element, index] = [
    { shape: [], dtype: x.dtype },
    { shape: [], dtype: "int32" as const },
  ];
  const places = iota(w, x, axis);
  const start = [w.number(lowest(x), element), w.number(LAST, index)];
  const results = [
    { shape, dtype: x.dtype },
    { shape, dtype: "int32" as const },
  ];
  return w.multi(
    "reduce",
    [x, places, ...start],
    results,
    { dimensions: ints([axis]) },
    {
      parameters: [element, index, element, index],
      body: (inner, [a, i, b, j]) => {
        const tie = inner.each("and", inner.compare("EQ", b!, a!), inner.compare("LT", j!, i!));
        const better = inner.each("or", inner.compare("GT", b!, a!), tie);
        return [inner.op("select", [better, b!, a!], a!), inner.op("select", [better, j!, i!], i!)];
      },
    },
  )[1]!;
}

/** Each element's index along an axis. */
export const iota = (w: Writer, { shape }: Ref, axis: number): Ref =>
  w.once(`iota ${axis} ${shape}`, () =>
    w.op("iota", [], { shape, dtype: "int32" }, { iota_dimension: `${axis} : i64` }),
  );
