/** ONNX Runtime as devices: `cpu` through its C API, `cpu-js` through onnxruntime-node. */
import type { DynamicGraph, Graph } from "../../graph/index.ts";
import { type Lowered, toOnnx } from "../../lower/onnx/index.ts";
import type { Device, Task } from "../device.ts";
import type { DeviceName } from "../device-names.ts";
import type { JsDeviceOptions, NativeDeviceOptions } from "../device-options.ts";
import type { Session, SessionOptions } from "../session.ts";
import type { Engine, OrtSessionOptions } from "./engine.ts";
import { inPlaceUpdates } from "./in-place.ts";

/** The device `cpu`. Throws EngineError when koffi or the library is missing or unusable. */
export async function openNativeDevice({ library, ...options }: NativeDeviceOptions): Promise<Device> {
  const { openNativeEngine } = await import("./native.ts");
  return ortDevice("cpu", await openNativeEngine(library === undefined ? {} : { library }), options);
}

/** The device `cpu-js`. Throws EngineError when onnxruntime-node is missing or does not load. */
export async function openJsDevice(options: JsDeviceOptions): Promise<Device> {
  const { openJsEngine } = await import("./js.ts");
  return ortDevice("cpu-js", await openJsEngine(), options);
}

function ortDevice(name: DeviceName, engine: Engine, { threads, session: chosen = {} }: JsDeviceOptions): Device {
  const lowered = async (
    { graph, weights = {}, dtype = "fp32" }: Pick<Task, "weights" | "dtype"> & { graph: Graph | DynamicGraph },
    options: OrtSessionOptions,
  ): Promise<Lowered & { session: Session }> => {
    const lowered = toOnnx(graph, { initializers: weights, dtype });
    const all = { name: graph.name, ...(threads ? { threads } : {}), ...options, ...chosen };
    return { ...lowered, session: await engine.createSession(lowered.model, all) };
  };
  return {
    name,
    description: `ONNX Runtime ${engine.version} (${engine.name})`,
    dtypes: ["fp16", "q8"],
    prepare: async (task, options = {}) => {
      const { session, made } = await lowered(task, sessionOptions(task, options));
      return { session, inPlace: inPlaceUpdates(task.graph, task.updates ?? {}, made) };
    },
    prepareDynamic: async (task, options = {}) => (await lowered(task, sessionOptions({}, options))).session,
    allocate: (dtype, shape) => engine.allocate(dtype, shape),
    upload: (t) => engine.upload(t),
  };
}

/** What a purpose means here. */
function sessionOptions(
  { updates = {} }: Pick<Task, "updates">,
  { purpose, ...options }: SessionOptions,
): OrtSessionOptions {
  const training = purpose === "training";
  return {
    // The lowering has fused what pays; the engine's later passes take minutes on a training step of 17,000 values.
    optimization: training || Object.keys(updates).length > 0 ? "basic" : "all",
    // Threads that wait for work sleep: spinning, they would take the processor from the next batch.
    ...(training && { arena: "shared" as const, spin: false }),
    ...options,
  };
}
