/** Types and numbers as MLIR spells them (https://mlir.llvm.org/docs/Dialects/Builtin). */
import { DTypeError } from "../../errors.ts";
import type { GraphDType } from "../../graph/index.ts";
import { type Shape, size, type Tensor } from "../../tensor/index.ts";

/** What a result holds. */
export interface Type {
  readonly shape: Shape;
  readonly dtype: GraphDType;
}

/** Element types of StableHLO. */
export const ELEMENTS: Readonly<Record<GraphDType, string>> = {
  float64: "f64",
  float32: "f32",
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

const FLOAT_BITS: Readonly<Partial<Record<GraphDType, (x: number) => string>>> = {
  float64: (x) => hex(new Uint8Array(Float64Array.of(x).buffer)),
  float32: (x) => hex(new Uint8Array(Float32Array.of(x).buffer)),
};

/** The bytes of a little-endian number, most significant first. */
const hex = (bytes: Uint8Array): string =>
  `0x${[...bytes]
    .reverse()
    .map((b) => b.toString(16).padStart(2, "0"))
    .join("")
    .toUpperCase()}`;

/** Digits that give back the same number: 9 for float32, 17 for float64. */
const DIGITS: Readonly<Partial<Record<GraphDType, number>>> = { float32: 8, float64: 16 };

/** One number; what no decimal says (infinities, NaN, −0) by its bits. */
export function literal(x: number, dtype: GraphDType): string {
  const bits = FLOAT_BITS[dtype];
  if (dtype === "bool") return x === 0 ? "false" : "true";
  if (!bits) return String(BigInt(x));
  const rounded = dtype === "float32" ? Math.fround(x) : x;
  if (!Number.isFinite(rounded) || Object.is(rounded, -0)) return bits(rounded);
  return rounded.toExponential(DIGITS[dtype]);
}

/**
 * `dense<…>` of a host tensor whose elements a graph calls `dtype`: one number where all are equal, else their bytes.
 * Throws DTypeError for a tensor of another dtype, except float64 for float32.
 */
export function dense(t: Tensor, dtype: GraphDType): string {
  if (t.dtype !== dtype && !(t.dtype === "float64" && dtype === "float32"))
    throw new DTypeError(`stablehlo: constant: expected ${dtype}, got ${t.dtype}`);
  const data = t.dtype === dtype ? t.data : Float32Array.from(t.data as Float64Array);
  if (size(t.shape) === 0) return "dense<>";
  const [first] = data;
  if (data.every((x) => Object.is(x, first))) return `dense<${splat(first!, dtype)}>`;
  if (dtype === "bool") return `dense<${nested([...(data as Uint8Array)], t.shape)}>`;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `dense<"0x${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}">`;
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
