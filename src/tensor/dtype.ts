/** Element types: the few that FLAVA's graphs and batches use, with their typed arrays. */
import { DTypeError } from "../errors.ts";

export type DType = "float64" | "float32" | "float16" | "bfloat16" | "int64" | "int32" | "uint8" | "bool";

/** The typed array that holds a dtype. float16 and bfloat16 hold raw bits; bool holds 0 or 1. */
export interface DataOf {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}
export type TypedArray = DataOf[DType];

const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Bytes of one element. */
export const byteSize = (dtype: DType): number => ARRAYS[dtype].BYTES_PER_ELEMENT;

export const isFloat = (dtype: DType): boolean => FLOATS.has(dtype);

const FLOATS: ReadonlySet<DType> = new Set<DType>(["float64", "float32", "float16", "bfloat16"]);

/** A zero-filled array of `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): DataOf[D] {
  return new ARRAYS[dtype](length) as unknown as DataOf[D];
}

/** Sees bytes as elements, without a copy where the alignment allows it. */
export function viewAs<D extends DType>(dtype: D, bytes: Uint8Array): DataOf[D] {
  const size = byteSize(dtype);
  if (bytes.byteLength % size !== 0)
    throw new DTypeError(`${dtype}: expected a multiple of ${size} bytes, got ${bytes.byteLength}`);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new ARRAYS[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    bytes.byteLength / size,
  ) as unknown as DataOf[D];
}
