/** Results on the host: tensors that also answer to the names that transformers.js gives their fields. */
import { allocate, type DType, type Shape, size, type Tensor } from "../tensor/index.ts";

/** Numbers in lists in lists, as many deep as the tensor has axes. */
export type Nested = number | readonly Nested[];

/** A result, float32; float64 where the interpreter computed in it. */
export interface OutputTensor extends Tensor<"float32"> {
  /** `shape`. */
  readonly dims: Shape;
  /** `dtype`. */
  readonly type: string;
  /** Number of elements. */
  readonly size: number;
  /** Row `i` of the first axis, a view. */
  row(i: number): Float32Array;
  tolist(): Nested;
}

/** The tensor with those fields; its numbers are not copied. */
export function output({ dtype, shape, data }: Tensor): OutputTensor {
  const numbers = data as Float32Array;
  const step = size(shape.slice(1));
  return {
    dtype: dtype as "float32",
    shape,
    data: numbers,
    dims: shape,
    type: dtype,
    size: numbers.length,
    row: (i) => numbers.subarray(i * step, (i + 1) * step),
    tolist: () => nested(numbers, shape, 0, 0),
  };
}

function nested(data: ArrayLike<number>, shape: Shape, axis: number, from: number): Nested {
  if (axis === shape.length) return data[from]!;
  const step = size(shape.slice(axis + 1));
  return Array.from({ length: shape[axis]! }, (_, i) => nested(data, shape, axis + 1, from + i * step));
}

/** Takes rows from several runs and puts each where it belongs: (N, …) in all. */
export class Rows {
  readonly #count: number;
  #made: { readonly shape: Shape; readonly dtype: DType; readonly data: Float32Array } | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  /** Row `i` of `part` becomes row `places[i]`. */
  add(part: Tensor, places: readonly number[]): void {
    const shape = part.shape.slice(1);
    const step = size(shape);
    this.#made ??= {
      shape: [this.#count, ...shape],
      dtype: part.dtype,
      data: allocate(part.dtype, this.#count * step) as Float32Array,
    };
    const from = part.data as Float32Array;
    for (const [i, place] of places.entries())
      this.#made.data.set(from.subarray(i * step, (i + 1) * step), place * step);
  }

  /** All rows; (0, …`empty`) where there are none. */
  tensor(empty: Shape): OutputTensor {
    const { dtype, shape, data } = this.#made ?? {
      dtype: "float32" as const,
      shape: [0, ...empty],
      data: new Float32Array(0),
    };
    return output({ dtype, shape, data } as Tensor);
  }
}

/** The first `length` places of axis 1: (B, M, …) → (B, length, …). */
export function cutSecond(t: Tensor, length: number): Tensor {
  const [B, M, ...rest] = t.shape as [number, number, ...number[]];
  if (M === length) return t;
  const step = size(rest);
  const data = allocate(t.dtype, B * length * step) as Float32Array;
  for (let b = 0; b < B; b++)
    data.set((t.data as Float32Array).subarray(b * M * step, (b * M + length) * step), b * length * step);
  return { dtype: t.dtype, shape: [B, length, ...rest], data } as Tensor;
}
