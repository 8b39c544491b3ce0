/** Graphs of one batch size, compiled when first needed, then kept; short batches are filled up. */
import { graph } from "../graph/index.ts";
import type { ModelGraph } from "../models/index.ts";
import { type CompileOptions, compile, type Device, type Executable, type State } from "../runtime/index.ts";
import { allocate, type Feeds, size, type Tensor } from "../tensor/index.ts";

/** A graph of one batch size with its parameters. */
export interface Runner {
  /**
   * The results for the samples fed, at most the graph's batch. The first axis of every feed counts samples, that of every
   * result samples or a fixed number of rows of each. Feeds that the graph does not read are left out.
   */
  run(feeds: Feeds, signal?: AbortSignal): Promise<Record<string, Tensor>>;
  dispose(): void;
}

/** The same graph with some of its results. */
export function only({ graph: g, params }: ModelGraph, ...names: string[]): ModelGraph {
  const part = graph(g.name, Object.fromEntries(names.map((name) => [name, g.outputs[name]!])));
  return { graph: part, params: params.filter((spec) => Object.hasOwn(part.inputs, spec.name)) };
}

/** Whether the state has every parameter of the graph: a model without a head has none of that head. */
export const hasParameters = (state: State, { params }: ModelGraph): boolean =>
  params.every(({ name }) => state.has(name));

/** Runs a graph of `batch` samples with the parameters of a state, or with fixed ones. */
export function createRunner(
  device: Device,
  { graph: g }: ModelGraph,
  batch: number,
  parameters: Pick<CompileOptions, "state" | "weights">,
): Runner {
  let compiled: Executable | undefined;
  return {
    async run(feeds, signal) {
      signal?.throwIfAborted();
      compiled ??= await compile(g, device, parameters);
      const given = compiled.feeds.flatMap((name) => (feeds[name] ? [[name, feeds[name]] as const] : []));
      const rows = given[0]?.[1].shape[0] ?? 0;
      if (rows > batch) throw new Error(`internal: ${g.name}: ${rows} samples for a batch of ${batch}`);
      const full = Object.fromEntries(given.map(([name, t]) => [name, fillRows(t, batch)]));
      const results = await compiled.run(full, signal && { signal });
      return Object.fromEntries(
        Object.entries(results).map(([name, t]) => [name, cutRows(t, (rows * t.shape[0]!) / batch)]),
      );
    },
    dispose() {
      compiled?.dispose();
      compiled = undefined;
    },
  };
}

/** The first `rows` rows; nothing is copied. */
export function cutRows<T extends Tensor>(t: T, rows: number): T {
  const shape = [Math.min(rows, t.shape[0]!), ...t.shape.slice(1)];
  return { ...t, shape, data: t.data.subarray(0, size(shape)) };
}

/** Rows up to `rows`, the last one again and again: what it gives is cut off, and it is never an odd case for the model. */
export function fillRows(t: Tensor, rows: number): Tensor {
  if (t.shape[0] === rows) return t;
  const shape = [rows, ...t.shape.slice(1)];
  const one = size(t.shape.slice(1));
  const data = allocate(t.dtype, size(shape)) as Float32Array;
  data.set(t.data as Float32Array);
  for (let at = t.data.length; at < data.length; at += one) data.copyWithin(at, t.data.length - one, t.data.length);
  return { dtype: t.dtype, shape, data } as Tensor;
}

/** `size` items at a time, with the number of the first. */
export function* batches<T>(
  items: readonly T[],
  size: number,
): Generator<readonly [first: number, part: readonly T[]]> {
  for (let first = 0; first < items.length; first += size) yield [first, items.slice(first, first + size)];
}
