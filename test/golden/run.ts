/** Runs values on golden feeds: in the float64 interpreter, or on a device, in float32 where that is an engine. */
import { graph, interpret, type Value } from "../../src/graph/index.ts";
import { compile, type Device, type CompileOptions } from "../../src/runtime/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../src/tensor/index.ts";

type Feeds = Readonly<Record<string, Tensor>>;

/** The results of `outputs`; feeds that the graph does not use are left out. */
export function evaluate(outputs: Readonly<Record<string, Value>>, feeds: Feeds): Record<string, Tensor<"float64">> {
  const g = graph("golden", outputs);
  const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => Object.hasOwn(g.inputs, name)));
  return interpret(g, used) as Record<string, Tensor<"float64">>;
}

const single = (t: Tensor): Tensor => (t.dtype === "float64" ? fromNumbers(t.data as Float64Array, t.shape) : t);
export const singles = (tensors: Feeds): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, single(t)]));

/** The same on a device. Floats come back as float64, however they were computed. */
export async function evaluateOn(
  device: Device,
  outputs: Readonly<Record<string, Value>>,
  feeds: Feeds,
  options: CompileOptions = {},
): Promise<Record<string, Tensor>> {
  using executable = await compile(graph("golden", outputs), device, options);
  const used = Object.fromEntries(executable.feeds.map((name) => [name, feeds[name]!]));
  const found = await executable.run(device.name === "interpret" ? used : singles(used));
  return Object.fromEntries(Object.entries(found).map(([name, t]) => [name, double(t)]));
}

/** Floats as float64; the rest as it is. */
export const double = (t: Tensor): Tensor =>
  t.dtype === "float32" ? fromNumbers(toNumbers(t), t.shape, "float64") : t;

/** The sum of all elements. */
export const total = (t: Tensor): number => (t.data as Float64Array).reduce((a, b) => a + b, 0);

/** √Σx². */
export const norm = (t: Tensor): number => Math.sqrt((t.data as Float64Array).reduce((a, b) => a + b * b, 0));
