/** ONNX Runtime as devices: `cpu` through its C API, `cpu-js` through onnxruntime-node. */
import { toOnnx } from "../../lower/onnx/index.ts";
import type { Device, DeviceOptions, Task } from "../device.ts";
import type { DeviceName } from "../device-names.ts";
import type { SessionOptions } from "../session.ts";
import type { Engine, OrtSessionOptions } from "./engine.ts";
import { inPlaceUpdates } from "./in-place.ts";

export interface JsDeviceOptions extends DeviceOptions {
  /** Options of every session, instead of those that its purpose gives. */
  session?: Omit<OrtSessionOptions, "name" | "threads" | "profile" | "signal">;
}

export interface NativeDeviceOptions extends JsDeviceOptions {
  /** Path of another ONNX Runtime library. */
  library?: string;
}

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
  return {
    name,
    description: `ONNX Runtime ${engine.version} (${engine.name})`,
    prepare: async (task, options = {}) => {
      const { graph, weights = {}, updates = {} } = task;
      const { model, made } = toOnnx(graph, { initializers: weights });
      const session = await engine.createSession(model, {
        name: graph.name,
        ...(threads ? { threads } : {}),
        ...sessionOptions(task, options),
        ...chosen,
      });
      return { session, inPlace: inPlaceUpdates(graph, updates, made) };
    },
    allocate: (dtype, shape) => engine.allocate(dtype, shape),
    upload: (t) => engine.upload(t),
  };
}

/** What a purpose means here. */
function sessionOptions({ updates = {} }: Task, { purpose, ...options }: SessionOptions): OrtSessionOptions {
  const training = purpose === "training";
  return {
    // The lowering has fused what pays; the engine's later passes take minutes on a training step of 17,000 values.
    optimization: training || Object.keys(updates).length > 0 ? "basic" : "all",
    // Threads that wait for work sleep: spinning, they would take the processor from the next batch.
    ...(training && { arena: "shared" as const, spin: false }),
    ...options,
  };
}
