/** Host tensors: a dtype, a shape and a row-major typed array. The only array type that crosses between rooms. */
import { DTypeError, ShapeError } from "../errors.ts";
import { allocate, type DataOf, type DType } from "./dtype.ts";

export type Shape = readonly number[];

export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: Shape;
  /** Row-major elements, `size(shape)` of them. */
  readonly data: DataOf[D];
}

/** Tensors by the names of a graph's inputs. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** Number of elements of a shape; 1 for a scalar. */
export const size = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

export const formatShape = (shape: Shape): string => `(${shape.join(", ")})`;

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let i = shape.length - 1, step = 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** Joins a typed array and a shape. Throws ShapeError when their sizes differ; nothing is copied. */
export function tensor<D extends DType>(dtype: D, shape: Shape, data: DataOf[D]): Tensor<D> {
  if (data.length !== size(shape))
    throw new ShapeError(
      `tensor: shape ${formatShape(shape)} needs ${size(shape)} elements, got ${data.length} of ${dtype}`,
    );
  return { dtype, shape: [...shape], data };
}

export const zerosLike = <D extends DType>(dtype: D, shape: Shape): Tensor<D> => ({
  dtype,
  shape: [...shape],
  data: allocate(dtype, size(shape)),
});

/** A tensor from plain numbers, converted to the dtype (float32 unless said). The 16-bit floats are not taken: they hold raw bits. */
export function fromNumbers<D extends Exclude<DType, "float16" | "bfloat16"> = "float32">(
  values: Iterable<number>,
  shape: Shape,
  dtype: D = "float32" as D,
): Tensor<D> {
  const list = [...values];
  const data = allocate(dtype, list.length);
  if (dtype === "int64") for (let i = 0; i < list.length; i++) (data as BigInt64Array)[i] = BigInt(list[i]!);
  else for (let i = 0; i < list.length; i++) (data as Float64Array)[i] = list[i]!;
  return tensor(dtype, shape, data);
}

export const scalar = (value: number, dtype: "float32" | "float64" = "float32"): Tensor =>
  fromNumbers([value], [], dtype);

/** The elements as plain numbers. int64 beyond 2⁵³ loses digits. */
export function toNumbers(t: Tensor): number[] {
  if (t.dtype === "float16" || t.dtype === "bfloat16")
    throw new DTypeError(`toNumbers: ${t.dtype} holds raw bits; convert it to float32 first`);
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}
