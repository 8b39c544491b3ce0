/** A batch in equal parts, and what each part weighs in the means over the whole. Plain arithmetic on host arrays. */
import { ShapeError } from "../errors.ts";
import { type Feeds, formatShape, size, type Tensor } from "../tensor/index.ts";
import type { Losses, Metrics, Objective } from "./plan.ts";

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

/** The rows of equal parts as one batch: each (b, E) → (parts·b, E). */
export function joinBatches(parts: readonly Feeds[]): Feeds {
  const all: Record<string, Tensor> = {};
  for (const name of Object.keys(parts[0]!)) {
    const rows = parts.map((part) => part[name]!);
    const [first, width] = rows[0]!.shape as [number, number];
    const data = new (rows[0]!.data.constructor as new (length: number) => Float32Array)(parts.length * first * width);
    for (const [i, t] of rows.entries()) data.set(t.data as Float32Array, i * first * width);
    all[name] = { dtype: rows[0]!.dtype, shape: [parts.length * first, width], data } as Tensor;
  }
  return all;
}

/**
 * What each part weighs in the mean of each loss: its share of the targets, 0 where there are none at all. `samples` is
 * the share of the samples, which also weighs whatever no count is given for.
 */
export function shares(objective: Objective, { losses }: Losses, parts: readonly Feeds[], whole: Feeds): Metrics[] {
  const counts = parts.map((part) => objective.targets?.(part, whole) ?? {});
  const weights: Record<string, number>[] = parts.map(() => ({ samples: 1 / parts.length }));
  for (const loss of Object.keys(losses)) {
    const total = counts.reduce((n, count) => n + (count[loss] ?? 1), 0);
    for (const [i, count] of counts.entries()) weights[i]![loss] = total === 0 ? 0 : (count[loss] ?? 1) / total;
  }
  return weights;
}

/**
 * The metrics of the whole batch from those of its parts: numbers of targets are added, everything else is a weighted mean. A
 * part that weighs nothing counts nothing: without one matched pair it has counted all of its pairs.
 */
export function partMetrics({ losses }: Losses, parts: readonly Metrics[], weights: readonly Metrics[]): Metrics {
  const names = Object.keys(parts[0] ?? {}).filter((name) => name !== "partial");
  return Object.fromEntries(
    names.map((name) => {
      const loss = name.split("/")[0]!;
      const weightOf = (i: number): number => weights[i]![Object.hasOwn(losses, loss) ? loss : "samples"] ?? 0;
      if (name.endsWith("/count"))
        return [name, parts.reduce((n, part, i) => n + (weightOf(i) > 0 ? part[name]! : 0), 0)];
      return [name, parts.reduce((n, part, i) => n + part[name]! * weightOf(i), 0)];
    }),
  );
}
