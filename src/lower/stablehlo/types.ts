/** Types and numbers as MLIR spells them (https://mlir.llvm.org/docs/Dialects/Builtin). */
import type { GraphDType } from "../../graph/index.ts";
import { roundToBfloat16, type Shape, size, type Tensor } from "../../tensor/index.ts";

/** What a result holds. */
export interface Type {
  readonly shape: Shape;
  readonly dtype: GraphDType;
}

/** Element types of StableHLO. */
export const ELEMENTS: Readonly<Record<GraphDType, string>> = {
  float64: "f64",
  float32: "f32",
  bfloat16: "bf16",
  int32: "i32",
  int64: "i64",
  bool: "i1",
};

/** `tensor<2x3xf32>`. */
export const tensorType = ({ shape, dtype }: Type): string => `tensor<${[...shape, ELEMENTS[dtype]].join("x")}>`;

/** `array<i64: 1, 2>`. */
export const ints = (values: readonly number[]): string =>
  values.length === 0 ? "array<i64>" : `array<i64: ${values.join(", ")}>`;

/** A list of `count` equal numbers. */
export const repeated = (count: number, value: number): string => ints(new Array<number>(count).fill(value));

/** How each float is rounded, how many digits after the first give it back, and its bits. */
const FLOATS: Readonly<Partial<Record<GraphDType, Float>>> = {
  float64: { round: (x) => x, digits: 16, bits: (xs) => Float64Array.from(xs) },
  float32: { round: Math.fround, digits: 8, bits: (xs) => Float32Array.from(xs) },
  bfloat16: {
    round: roundToBfloat16,
    digits: 8,
    bits: (xs) => Uint16Array.from(new Uint32Array(Float32Array.from(xs, roundToBfloat16).buffer), (x) => x >>> 16),
  },
};

interface Float {
  readonly round: (x: number) => number;
  readonly digits: number;
  readonly bits: (xs: ArrayLike<number>) => ArrayBufferView;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** One number; what no decimal says (infinities, NaN, −0) by its bits, the most significant first. */
export function literal(x: number, dtype: GraphDType): string {
  const float = FLOATS[dtype];
  if (dtype === "bool") return x === 0 ? "false" : "true";
  if (!float) return String(BigInt(x));
  const rounded = float.round(x);
  if (Number.isFinite(rounded) && !Object.is(rounded, -0)) return rounded.toExponential(float.digits);
  return `0x${hex(bytesOf(float.bits([rounded])).reverse()).toUpperCase()}`;
}

/**
 * `dense<…>` of a host tensor whose elements a graph calls `dtype`: one number where all are equal, else their bytes.
 * float64 elements are rounded to the dtype.
 */
export function dense({ data, shape }: Tensor, dtype: GraphDType): string {
  if (size(shape) === 0) return "dense<>";
  const [first] = data;
  if (data.every((x) => Object.is(x, first))) return `dense<${splat(first!, dtype)}>`;
  if (dtype === "bool") return `dense<${nested([...(data as Uint8Array)], shape)}>`;
  const float = FLOATS[dtype];
  const stored = float && data instanceof Float64Array ? float.bits(data) : data;
  return `dense<"0x${hex(bytesOf(stored))}">`;
}

const splat = (x: number | bigint, dtype: GraphDType): string =>
  typeof x === "bigint" ? String(x) : literal(x, dtype);

/** Bits have no bytes of their own in MLIR, so bools are written out. */
function nested(values: readonly number[], shape: Shape): string {
  if (shape.length === 0) return literal(values[0]!, "bool");
  const step = values.length / shape[0]!;
  const rows = Array.from({ length: shape[0]! }, (_, i) =>
    nested(values.slice(i * step, (i + 1) * step), shape.slice(1)),
  );
  return `[${rows.join(", ")}]`;
}
