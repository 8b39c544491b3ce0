/** Taking rows by index, and adding them back. */
import { ShapeError } from "../../errors.ts";
import { type Shape, size } from "../../tensor/index.ts";
import type { Data } from "./storage.ts";

function indexAt(op: string, indices: Data, i: number, n: number): number {
  const index = Number(indices[i]);
  if (index < 0 || index >= n) throw new ShapeError(`${op}: expected indices from 0 to ${n - 1}, got ${index} at ${i}`);
  return index;
}

export function gather(x: Data, shape: Shape, axis: number, indices: Data, out: Data): Data {
  const n = shape[axis]!;
  const inner = size(shape.slice(axis + 1));
  const outer = size(shape.slice(0, axis));
  let p = 0;
  for (let i = 0; i < outer; i++)
    for (let j = 0; j < indices.length; j++) {
      const from = (i * n + indexAt("gather", indices, j, n)) * inner;
      for (let k = 0; k < inner; k++) out[p++] = x[from + k]!;
    }
  return out;
}

/** `out` holds zeros and has `rows` rows. */
export function scatterAdd(updates: Data, indices: Data, rows: number, out: Data): Data {
  const total = out instanceof Float64Array ? out : new Float64Array(out.length);
  const inner = indices.length === 0 ? 0 : updates.length / indices.length;
  for (let j = 0; j < indices.length; j++) {
    const to = indexAt("scatterAdd", indices, j, rows) * inner;
    for (let k = 0; k < inner; k++) total[to + k] = total[to + k]! + updates[j * inner + k]!;
  }
  if (total !== out) out.set(total);
  return out;
}
