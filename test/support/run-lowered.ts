/** Lowers a graph, runs it on ONNX Runtime and speaks of inputs and outputs under the graph's names. */
import type { Graph } from "../../src/graph/index.ts";
import {
  decodeModel,
  joinExternalData,
  type LowerOptions,
  type OnnxModel,
  toOnnx,
} from "../../src/lower/onnx/index.ts";
import { openNativeEngine } from "../../src/runtime/onnxruntime/native.ts";
import { type Tensor, toNumbers } from "../../src/tensor/index.ts";

const engine = await openNativeEngine();

export type Feeds = Readonly<Record<string, Tensor>>;

export async function runLowered(g: Graph, feeds: Feeds, options: LowerOptions = {}): Promise<Record<string, Tensor>> {
  const { model, inputs, outputs, externalData } = toOnnx(g, options);
  using session = await engine.createSession(model, {
    threads: 2,
    ...(externalData && { externalData: { [externalData.location]: joinExternalData(externalData) } }),
  });
  const fed = Object.fromEntries(Object.entries(inputs).map(([key, port]) => [port.name, feeds[key]!]));
  const want = Object.fromEntries(Object.values(outputs).map((port) => [port.name, "host" as const]));
  const got = (await session.run(fed, want)) as Record<string, Tensor>;
  return Object.fromEntries(Object.entries(outputs).map(([key, port]) => [key, got[port.name]!]));
}

/** The model that a graph becomes, read back from its bytes. */
export const lowered = (g: Graph, options: LowerOptions = {}): OnnxModel => decodeModel(toOnnx(g, options).model);

/** How many nodes of each operator a graph becomes. */
export function operators(g: Graph, options: LowerOptions = {}): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op } of lowered(g, options).graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

/** Worst difference of two tensors, in units of the largest finite number expected, or of 1. */
export function worstError(actual: Tensor, expected: Tensor): number {
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  const unit = b.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 1);
  const error = (v: number, i: number): number =>
    Object.is(v, b[i]) || v === b[i] ? 0 : Number.isFinite(v) ? Math.abs(v - b[i]!) / unit : Number.POSITIVE_INFINITY;
  return a.reduce((m, v, i) => Math.max(m, error(v, i)), 0);
}
