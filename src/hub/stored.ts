/** How files store elements, and what reading makes of them. */
import { bfloat16ToFloat, type DType, halfToFloat, type TypedArray, viewAs } from "../tensor/index.ts";

/** The names of element types in safetensors files; other formats are told in them too. */
export type StoredDType = "BOOL" | "U8" | "I8" | "I16" | "U16" | "F16" | "BF16" | "I32" | "U32" | "F32" | "F64" | "I64";

interface Stored {
  /** What reading gives. */
  readonly dtype: DType;
  readonly bytes: number;
  /** Where that is not what is stored: the same values in the wider type. */
  readonly widen?: (raw: Uint8Array) => TypedArray;
}

/** Sorted as the reference implementation of safetensors sorts the bytes of a file. */
export const STORED: { readonly [S in StoredDType]: Stored } = {
  BOOL: { dtype: "bool", bytes: 1 },
  U8: { dtype: "uint8", bytes: 1 },
  I8: {
    dtype: "int32",
    bytes: 1,
    widen: (raw) => Int32Array.from(new Int8Array(raw.buffer, raw.byteOffset, raw.length)),
  },
  I16: { dtype: "int32", bytes: 2, widen: (raw) => Int32Array.from(new Int16Array(viewAs("float16", raw))) },
  U16: { dtype: "int32", bytes: 2, widen: (raw) => Int32Array.from(viewAs("float16", raw)) },
  F16: { dtype: "float32", bytes: 2, widen: (raw) => halfToFloat(viewAs("float16", raw)) },
  BF16: { dtype: "float32", bytes: 2, widen: (raw) => bfloat16ToFloat(viewAs("bfloat16", raw)) },
  I32: { dtype: "int32", bytes: 4 },
  U32: { dtype: "int64", bytes: 4, widen: (raw) => BigInt64Array.from(viewAs("int32", raw), (n) => BigInt(n >>> 0)) },
  F32: { dtype: "float32", bytes: 4 },
  F64: { dtype: "float64", bytes: 8 },
  I64: { dtype: "int64", bytes: 8 },
};

/** How each dtype is written. */
export const storedAs: { readonly [D in DType]: StoredDType } = {
  bool: "BOOL",
  uint8: "U8",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  float32: "F32",
  float64: "F64",
  int64: "I64",
};

/** The elements of little-endian bytes, in the dtype that `STORED` says; a view where nothing is widened. */
export function decodeStored(stored: StoredDType, raw: Uint8Array): TypedArray {
  const { dtype, widen } = STORED[stored];
  return widen ? widen(raw) : viewAs(dtype, raw);
}
