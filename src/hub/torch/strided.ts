/** Views with any strides as row-major elements. */
import { type Shape, sameShape, size, stridesOf, type TypedArray } from "../../tensor/index.ts";

/** Whether elements lie in the order of their indices. Axes of length 1 may have any stride. */
const isRowMajor = (shape: Shape, strides: readonly number[]): boolean =>
  sameShape(
    stridesOf(shape).filter((_, axis) => shape[axis] !== 1),
    strides.filter((_, axis) => shape[axis] !== 1),
  );

/** The elements of a view in row-major order: the same array where they are already. */
export function gather<T extends TypedArray>(elements: T, shape: Shape, strides: readonly number[]): T {
  const count = size(shape);
  if (count === 0 || isRowMajor(shape, strides)) return elements;
  const out = new (elements.constructor as new (length: number) => T)(count);
  const rank = shape.length;
  const inner = shape[rank - 1]!;
  const step = strides[rank - 1]!;
  const index = new Array<number>(rank).fill(0);
  for (let row = 0, start = 0; row < count; row += inner) {
    for (let i = 0, from = start; i < inner; i++, from += step) out[row + i] = elements[from]!;
    for (let axis = rank - 2; axis >= 0; axis--) {
      start += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      start -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
