/** A batch in equal parts. Plain arithmetic on host arrays. */
import { ShapeError } from "../errors.ts";
import { allocate, type Feeds, formatShape, size, type Tensor } from "../tensor/index.ts";

/** Cuts every tensor into `count` equal parts along the axis of the samples. Along axis 0 the parts are views. */
export function cutBatch(feeds: Feeds, count: number, axis: number): Feeds[] {
  return Array.from({ length: count }, (_, part) =>
    Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, cut(name, t, part, count, axis)])),
  );
}

/** Parts of batches one behind the other, along axis 0. */
export function joinBatch(parts: readonly Feeds[]): Feeds {
  if (parts.length === 1) return parts[0]!;
  const joined = (name: string, { dtype, shape }: Tensor): Tensor => {
    const all = parts.map((part) => part[name]!);
    const rows = all.reduce((sum, t) => sum + t.shape[0]!, 0);
    const data = allocate(dtype, rows * size(shape.slice(1))) as Float32Array;
    let at = 0;
    for (const t of all) {
      data.set(t.data as Float32Array, at);
      at += t.data.length;
    }
    return { dtype, shape: [rows, ...shape.slice(1)], data } as Tensor;
  };
  return Object.fromEntries(Object.entries(parts[0]!).map(([name, t]) => [name, joined(name, t)]));
}

function cut(name: string, t: Tensor, part: number, count: number, axis: number): Tensor {
  const samples = t.shape[axis] ?? 0;
  const each = samples / count;
  if (!Number.isInteger(each) || each === 0)
    throw new ShapeError(`${name}: ${formatShape(t.shape)} does not divide into ${count} parts along axis ${axis}`);
  const shape = t.shape.map((d, i) => (i === axis ? each : d));
  const outer = size(t.shape.slice(0, axis));
  const inner = size(t.shape.slice(axis + 1));
  if (outer === 1) {
    const length = each * inner;
    return { dtype: t.dtype, shape, data: t.data.subarray(part * length, (part + 1) * length) } as Tensor;
  }
  const data = new (t.data.constructor as new (length: number) => Float32Array)(outer * each * inner);
  for (let o = 0; o < outer; o++) {
    const from = (o * samples + part * each) * inner;
    data.set((t.data as Float32Array).subarray(from, from + each * inner), o * each * inner);
  }
  return { dtype: t.dtype, shape, data } as Tensor;
}
