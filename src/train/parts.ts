/** A batch in equal parts. Plain arithmetic on host arrays. */
import { ShapeError } from "../errors.ts";
import { type Feeds, formatShape, size, type Tensor } from "../tensor/index.ts";

/** Cuts every tensor into `count` equal parts along the axis of the samples. Along axis 0 the parts are views. */
export function cutBatch(feeds: Feeds, count: number, axis: number): Feeds[] {
  return Array.from({ length: count }, (_, part) =>
    Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, cut(name, t, part, count, axis)])),
  );
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
