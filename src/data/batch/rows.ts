/** The arrays of a batch: their fields, room for some rows, and rows of several pieces joined to tensors. */
import { allocate, type DataOf, type DType, type Shape, size, type Tensor } from "../../tensor/index.ts";

/** One array of a batch, as one sample sees it. */
export interface Field {
  readonly name: string;
  readonly dtype: DType;
  /** The shape of one sample's part. */
  readonly shape: Shape;
  /** The batch's shape is (views, B, …shape) instead of (B, …shape): a sample has several parts. */
  readonly views?: number | undefined;
}

/** The arrays of `rows` samples, each sample's parts one after another: (rows, views, …shape). */
export type Rows = Readonly<Record<string, DataOf[DType]>>;

/** Room for `rows` samples. */
export const allocateRows = (fields: readonly Field[], rows: number): Rows =>
  Object.fromEntries(fields.map((field) => [field.name, allocate(field.dtype, rows * partSize(field))]));

/** Elements of one sample's part, all views together. */
export const partSize = ({ shape, views = 1 }: Field): number => views * size(shape);

/** The tensors of a batch of `count` rows that are spread over pieces: rows `from`..`to`−1 of each. */
export function joinRows(
  fields: readonly Field[],
  pieces: readonly { readonly rows: Rows; readonly from: number; readonly to: number }[],
): Record<string, Tensor> {
  const count = pieces.reduce((n, { from, to }) => n + to - from, 0);
  return Object.fromEntries(fields.map((field) => [field.name, joinField(field, pieces, count)]));
}

function joinField(
  field: Field,
  pieces: readonly { readonly rows: Rows; readonly from: number; readonly to: number }[],
  count: number,
): Tensor {
  const { name, dtype, shape, views } = field;
  const whole = [...(views === undefined ? [] : [views]), count, ...shape];
  const first = pieces[0]?.rows[name];
  if (pieces.length === 1 && views === undefined && first?.length === size(whole))
    return { dtype, shape: whole, data: first };
  const data = allocate(dtype, size(whole));
  const one = size(shape);
  let at = 0;
  for (const { rows, from, to } of pieces) {
    const source = rows[name]!;
    if (views === undefined) copy(data, at * one, source, from * one, (to - from) * one);
    else
      for (let row = from; row < to; row++)
        for (let v = 0; v < views; v++)
          copy(data, (v * count + at + row - from) * one, source, (row * views + v) * one, one);
    at += to - from;
  }
  return { dtype, shape: whole, data };
}

function copy(to: DataOf[DType], at: number, from: DataOf[DType], start: number, count: number): void {
  (to as Float32Array).set((from as Float32Array).subarray(start, start + count), at);
}

/** The part of a row in one array. */
export function rowOf<A extends DataOf[DType]>(rows: Rows, { name, ...field }: Field, row: number): A {
  const one = partSize({ name, ...field });
  return (rows[name] as Float32Array).subarray(row * one, (row + 1) * one) as unknown as A;
}
