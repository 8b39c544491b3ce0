/** Runs alternative ONNX graphs in turn on one thread and prints the processor time of each: steady on a busy machine too. */
import type { Attribute, OnnxGraph, OnnxNode, OnnxPort, OnnxTensor } from "../src/lower/onnx/index.ts";
import { encodeModel } from "../src/lower/onnx/write.ts";
import type { Buffer, Session } from "../src/runtime/index.ts";
import type { Engine } from "../src/runtime/onnxruntime/engine.ts";
import { openNativeEngine } from "../src/runtime/onnxruntime/native.ts";
import { fromNumbers, type Tensor } from "../src/tensor/index.ts";
import { noise, say } from "./measure.ts";

export interface Entry {
  readonly name: string;
  readonly graph: OnnxGraph;
}

/** A node of a hand-written graph, named after its result. */
export function node(op: string, inputs: readonly string[], output: string, attrs: OnnxNode["attrs"] = {}): OnnxNode {
  const domain = op === "FusedMatMul" ? "com.microsoft" : "";
  return { name: output, op, domain, inputs, outputs: [output], attrs };
}

export const int = (value: number): Attribute => ({ int: value });
export const ints = (...values: number[]): Attribute => ({ ints: values });

type Ports = Readonly<Record<string, readonly number[]>>;
const ports = (shapes: Ports): OnnxPort[] =>
  Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    dtype: name.startsWith("index") ? "int64" : "float32",
  }));

function stored(name: string, value: number | readonly number[]): OnnxTensor {
  const t: Tensor = typeof value === "number" ? fromNumbers([value], []) : fromNumbers(value, [value.length], "int64");
  return { name, dtype: t.dtype, shape: t.shape, bytes: new Uint8Array(t.data.buffer) };
}

/** A hand-written graph. A constant is a number (float32, rank 0) or a list (int64); an input named index… is int64. */
export const handmade = (
  nodes: readonly OnnxNode[],
  inputs: Ports,
  outputs: Ports,
  constants: Readonly<Record<string, number | readonly number[]>> = {},
): OnnxGraph => ({
  name: "race",
  nodes,
  initializers: Object.entries(constants).map(([name, value]) => stored(name, value)),
  inputs: ports(inputs),
  outputs: ports(outputs),
});

interface Racer {
  readonly name: string;
  readonly session: Session;
  readonly feeds: Record<string, Buffer>;
  readonly wants: Record<string, Buffer>;
  readonly times: number[];
}

interface Options {
  readonly rounds: number;
  /** Floating-point operations of one run, to print a speed. */
  readonly flops?: number;
}

/** Prints `title`, then each entry's least processor time over `rounds` turns, in ms. */
export async function race(title: string, entries: readonly Entry[], { rounds, flops }: Options): Promise<void> {
  const engine = await openNativeEngine();
  const pool = new Map<string, Buffer>();
  const racers: Racer[] = [];
  for (const { name, graph } of entries) racers.push(await prepare(engine, name, graph, pool));
  for (let round = 0; round <= rounds; round++)
    for (const { session, feeds, wants, times } of racers) {
      const start = process.cpuUsage();
      await session.run(feeds, wants);
      const { user, system } = process.cpuUsage(start);
      if (round > 0) times.push((user + system) / 1000);
    }
  say(`\n${title}`);
  for (const { name, times, session } of racers) {
    const least = Math.min(...times);
    const speed = flops ? `${(flops / least / 1e6).toFixed(0)} GFLOP/s`.padStart(14) : "";
    say(`  ${name.padEnd(56)} ${least.toFixed(2).padStart(8)} ms${speed}`);
    session.dispose();
  }
  for (const buffer of pool.values()) buffer.dispose();
}

async function prepare(engine: Engine, name: string, graph: OnnxGraph, pool: Map<string, Buffer>): Promise<Racer> {
  const opsets = [
    { domain: "", version: 21 },
    { domain: "com.microsoft", version: 1 },
  ];
  const model = encodeModel({ irVersion: 10, producer: "flava bench", opsets, metadata: {}, graph });
  const session = await engine.createSession(model, { threads: 1, name });
  const shared = (key: string, make: () => Buffer): Buffer => {
    const known = pool.get(key) ?? make();
    pool.set(key, known);
    return known;
  };
  const feeds = graph.inputs.map((p) => [p.name, shared(`in ${p.name} ${p.shape}`, () => engine.upload(fill(p)))]);
  const wants = graph.outputs.map((p) => [
    p.name,
    shared(`out ${p.name} ${p.shape}`, () => engine.allocate(p.dtype, p.shape as number[])),
  ]);
  return { name, session, feeds: Object.fromEntries(feeds), wants: Object.fromEntries(wants), times: [] };
}

/** Noise, or whole numbers below 30522, the vocabulary. */
function fill(port: OnnxPort): Tensor {
  const t = noise(port.name, port.shape as number[]);
  if (port.dtype === "float32") return t;
  return fromNumbers(
    Array.from(t.data, (v) => Math.floor((v + 0.5) * 30522)),
    t.shape,
    "int64",
  );
}
