/** Floats of one width as those of another. */
import type { DType } from "./dtype.ts";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from "./half.ts";
import { type Tensor, tensor } from "./tensor.ts";

/** What weights are stored in. */
export type FloatDType = "float32" | "float16" | "bfloat16";

/** Numbers that a narrower type does not hold. */
export interface CastLoss {
  /** Finite ones that became infinite. */
  readonly overflowed: number;
  /** Others than zero that became zero. */
  readonly vanished: number;
}

const NARROW = {
  float16: { narrow: floatToHalf, widen: halfToFloat },
  bfloat16: { narrow: floatToBfloat16, widen: bfloat16ToFloat },
} as const;

/** A tensor of floats in another width, to nearest with ties to even; float64 goes by float32. Other dtypes stay as they are. */
export function castFloats(t: Tensor, dtype: FloatDType): { readonly tensor: Tensor; readonly loss: CastLoss } {
  const none = { overflowed: 0, vanished: 0 };
  if (t.dtype === dtype || !isWide(t.dtype)) return { tensor: t, loss: none };
  const floats = t.dtype === "float64" ? Float32Array.from(t.data as Float64Array) : (t.data as Float32Array);
  if (dtype === "float32")
    return { tensor: tensor("float32", t.shape, floats), loss: lossOf(t.data as Float64Array, floats) };
  const bits = NARROW[dtype].narrow(floats);
  return { tensor: tensor(dtype, t.shape, bits), loss: lossOf(t.data as Float32Array, NARROW[dtype].widen(bits)) };
}

const isWide = (dtype: DType): boolean => dtype === "float32" || dtype === "float64";

function lossOf(before: Float32Array | Float64Array, after: Float32Array): CastLoss {
  let [overflowed, vanished] = [0, 0];
  for (let i = 0; i < after.length; i++) {
    if (after[i] === 0 && before[i] !== 0) vanished++;
    else if (!Number.isFinite(after[i]!) && Number.isFinite(before[i]!)) overflowed++;
  }
  return { overflowed, vanished };
}
