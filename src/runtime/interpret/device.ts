/** The interpreter as a device: the same sessions and buffers, computed by plain TypeScript. */
import { EngineError } from "../../errors.ts";
import type { Graph } from "../../graph/index.ts";
import { interpret } from "../../graph/interpret/index.ts";
import { byteSize, type DType, type Shape, size, type Tensor, zerosLike } from "../../tensor/index.ts";
import type { Device, DeviceOptions } from "../device.ts";
import type { Buffer, PortInfo, Session, Want } from "../session.ts";

/** A host tensor that behaves as an engine's buffer. */
class HostBuffer implements Buffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  value: Tensor | undefined;
  constructor(value: Tensor) {
    this.dtype = value.dtype;
    this.shape = value.shape;
    this.sizeBytes = size(value.shape) * byteSize(value.dtype);
    this.value = value;
  }
  read(): Tensor {
    if (!this.value) throw new EngineError("buffer: used after dispose");
    return { ...this.value, data: this.value.data.slice() } as Tensor;
  }
  write(t: Tensor): void {
    this.value = { ...t, data: t.data.slice() } as Tensor;
  }
  dispose(): void {
    this.value = undefined;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

const ports = (values: Readonly<Record<string, { shape: Shape; dtype: DType }>>): PortInfo[] =>
  Object.entries(values).map(([name, { shape, dtype }]) => ({ name, dtype, shape }));

function createSession(
  graph: Graph,
  precision: "float64" | "float32",
  weights: Readonly<Record<string, Tensor>>,
): Session {
  const inputs = ports(Object.fromEntries(Object.entries(graph.inputs).filter(([name]) => !(name in weights))));
  const outputs = ports(graph.outputs);
  const session: Session = {
    name: graph.name,
    inputs,
    outputs,
    async run(feeds, want) {
      const host: Record<string, Tensor> = {};
      for (const [name, feed] of Object.entries(feeds))
        host[name] = feed instanceof HostBuffer ? feed.value! : (feed as Tensor);
      const wanted = Object.fromEntries(Object.keys(want).map((name) => [name, graph.outputs[name]!]));
      const results = interpret({ ...graph, outputs: wanted }, { ...host, ...weights }, { precision });
      return Object.fromEntries(Object.entries(want).map(([name, w]) => [name, place(results[name]!, w)]));
    },
    endProfiling() {
      throw new EngineError(`${graph.name}: the interpreter records no profile`);
    },
    dispose() {},
    [Symbol.dispose]() {},
    async [Symbol.asyncDispose]() {},
  };
  return session;
}

function place(result: Tensor, want: Want): Tensor | Buffer {
  if (want === "host") return result;
  if (want === "buffer") return new HostBuffer(result);
  (want as HostBuffer).value = result;
  return want;
}

export interface InterpreterOptions extends DeviceOptions {
  /** What floats are computed in. */
  precision?: "float64" | "float32";
}

/** The device `interpret`; float64 by default. */
export function openInterpreter({ precision = "float64" }: InterpreterOptions): Device {
  return {
    name: "interpret",
    description: `interpreter (${precision})`,
    // A run computes everything before it replaces anything, so every update may go where the old value lies.
    prepare: async ({ graph, weights = {}, updates = {} }) => ({
      session: createSession(graph, precision, weights),
      inPlace: new Set(Object.keys(updates)),
    }),
    allocate: (dtype, shape) => new HostBuffer(zerosLike(dtype, shape)),
    upload: (t) => new HostBuffer({ ...t, data: t.data.slice() } as Tensor),
  };
}
