/** Devices: where a graph can run. Each makes sessions from graphs and holds buffers; all behave alike. */
import { EngineError } from "../errors.ts";
import type { Graph } from "../graph/index.ts";
import { toOnnx } from "../lower/onnx/index.ts";
import type { DType, Shape, Tensor } from "../tensor/index.ts";
import { openInterpreter } from "./interpret/device.ts";
import { openJsEngine } from "./onnxruntime/js.ts";
import { openNativeEngine } from "./onnxruntime/native.ts";
import type { Buffer, Engine, Session, SessionOptions } from "./session.ts";

/**
 * `cpu`: ONNX Runtime through its C API. `cpu-js`: ONNX Runtime through onnxruntime-node's own API.
 * `interpret`: plain TypeScript, slow and exact; the oracle of the others.
 */
export type DeviceName = "cpu" | "cpu-js" | "interpret";
export const deviceNames: readonly DeviceName[] = ["cpu", "cpu-js", "interpret"];

export interface DeviceOptions {
  /** Threads of one operator; all processors unless said. */
  threads?: number;
  /** Only for `interpret`: what floats are computed in. */
  precision?: "float64" | "float32";
  /** Path of another ONNX Runtime library, for `cpu`. */
  library?: string;
}

export interface Device {
  readonly name: DeviceName;
  /** Engine and version, for logs. */
  readonly description: string;
  /** `weights` become part of the session: packed once by the engine, and no longer fed. */
  createSession(graph: Graph, options?: SessionOptions, weights?: Readonly<Record<string, Tensor>>): Promise<Session>;
  /** A buffer with undefined content. */
  allocate(dtype: DType, shape: Shape): Buffer;
  /** A buffer with a copy of `t`. */
  upload(t: Tensor): Buffer;
}

function engineDevice(name: DeviceName, engine: Engine, threads: number | undefined): Device {
  return {
    name,
    description: `ONNX Runtime ${engine.version} (${engine.name})`,
    createSession: async (graph, options = {}, weights = {}) => {
      const { model } = toOnnx(graph, { initializers: weights });
      return engine.createSession(model, { name: graph.name, ...(threads ? { threads } : {}), ...options });
    },
    allocate: (dtype, shape) => engine.allocate(dtype, shape),
    upload: (t) => engine.upload(t),
  };
}

/**
 * Opens a device. Throws EngineError when its engine is not installed or an unknown name was given: there is no silent
 * fallback.
 */
export async function openDevice(name: DeviceName = "cpu", options: DeviceOptions = {}): Promise<Device> {
  const { threads, precision, library } = options;
  if (name === "cpu") return engineDevice(name, await openNativeEngine(library ? { library } : {}), threads);
  if (name === "cpu-js") return engineDevice(name, await openJsEngine(), threads);
  if (name === "interpret") return openInterpreter(precision);
  throw new EngineError(`device "${name}" does not exist`, `use one of ${deviceNames.join(", ")}`);
}
