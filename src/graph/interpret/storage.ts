/** How the interpreter holds the elements of a value: a typed array, in 64 bits for every float by default. */
import { allocate, type DataOf, isFloat, roundToBfloat16, type Tensor } from "../../tensor/index.ts";
import type { GraphDType } from "../primitives.ts";

/**
 * "float64": every float is computed and stored in 64 bits, even where the graph says float32.
 * "float32": a result that the graph calls float32 is rounded to it, once, after each operation.
 */
export type Precision = "float64" | "float32";

/**
 * Row-major elements. int64 is a BigInt64Array under this type: code that only moves, adds, multiplies or compares
 * elements works on bigints as it stands; the rest asks with `isBig` first.
 */
export type Data = Float64Array | Float32Array | Int32Array | Uint8Array;

export const isBig = (data: Data): boolean => (data as unknown) instanceof BigInt64Array;

/** The dtype that a graph's dtype is stored in. */
export const stored = (dtype: GraphDType, precision: Precision): Exclude<GraphDType, "bfloat16"> =>
  dtype === "float32" || dtype === "bfloat16" ? precision : dtype;

/** What the graph calls bfloat16 is rounded to it, whatever floats are computed in: the graph says so in so many words. */
export function roundAll(data: Data): void {
  for (let i = 0; i < data.length; i++) data[i] = roundToBfloat16(data[i]!);
}

/** Zeros for a value of the graph. */
export const zeros = (dtype: GraphDType, length: number, precision: Precision): Data =>
  allocate(stored(dtype, precision), length) as unknown as Data;

/** The elements of a host tensor as the interpreter holds them; not copied where the type is the same. */
export function load(t: Tensor, dtype: GraphDType, precision: Precision): Data {
  const to = stored(dtype, precision);
  if (t.dtype === to || !isFloat(to)) return t.data as unknown as Data;
  return to === "float64" ? Float64Array.from(t.data as Float32Array) : Float32Array.from(t.data as Float64Array);
}

/** The elements of a value as a host tensor. */
export function unload(data: Data, shape: readonly number[], dtype: GraphDType, precision: Precision): Tensor {
  const to = stored(dtype, precision);
  return { dtype: to, shape: [...shape], data: data as unknown as DataOf[typeof to] };
}
