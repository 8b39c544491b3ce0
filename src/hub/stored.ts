/** How files store elements, and what reading makes of them. */
import { settled } from "../errors.ts";
import type { Bytes } from "../io/bytes.ts";
import {
  bfloat16ToFloat,
  type DType,
  halfToFloat,
  type TypedArray,
  viewAs,
  widenBfloat16,
  widenHalves,
} from "../tensor/index.ts";

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

/** Bytes of a piece: it stays in the processor's cache until it is widened. */
const PIECE_BYTES = 1 << 18;

const IN_PIECES = { F16: widenHalves, BF16: widenBfloat16 } as const;

/** What elements are read from: a file, or an entry of an archive. */
export type ElementSource = Pick<Bytes, "slice" | "into">;

/**
 * The elements of the bytes start..end−1, as `decodeStored`. Many halves are read in pieces, the next one while the one before is widened:
 * on a file that is in the system's cache the memory for the bytes would cost more than widening them.
 */
export async function readStored(
  source: ElementSource,
  stored: StoredDType,
  start: number,
  end: number,
): Promise<TypedArray> {
  if (source.into && (stored === "F16" || stored === "BF16") && end - start > PIECE_BYTES)
    return readHalves(source as Required<ElementSource>, IN_PIECES[stored], start, end);
  return decodeStored(stored, new Uint8Array(await source.slice(start, end)));
}

async function readHalves(
  source: Required<ElementSource>,
  widen: (bits: Uint16Array, out: Uint32Array, at: number) => void,
  start: number,
  end: number,
): Promise<Float32Array> {
  const out = new Float32Array((end - start) / 2);
  const bits = new Uint32Array(out.buffer);
  const rooms = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)];
  const load = async (at: number): Promise<Uint8Array> => {
    const room = rooms[(at / PIECE_BYTES) % 2]!.subarray(0, Math.min(PIECE_BYTES, end - start - at));
    await source.into(start + at, room);
    return room;
  };
  let next = load(0);
  for (let at = 0; at < end - start; at += PIECE_BYTES) {
    const piece = await next;
    if (at + PIECE_BYTES < end - start) next = load(at + PIECE_BYTES);
    void settled(next);
    widen(viewAs("float16", piece), bits, at / 2);
  }
  return out;
}
