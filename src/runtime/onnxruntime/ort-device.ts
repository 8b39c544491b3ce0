/** A device made of either engine of ONNX Runtime: graphs are lowered to ONNX, and a purpose becomes options of a session. */
import type { DynamicGraph, Graph } from "../../graph/index.ts";
import { type Lowered, type ModelDType, type Target, toOnnx } from "../../lower/onnx/index.ts";
import type { Device, Task } from "../device.ts";
import type { DeviceName } from "../device-names.ts";
import type { JsDeviceOptions } from "../device-options.ts";
import type { Session, SessionOptions } from "../session.ts";
import type { Engine, OrtSessionOptions } from "./engine.ts";
import { inPlaceUpdates } from "./in-place.ts";

/** What is particular to a device. */
export interface OrtDeviceOptions extends JsDeviceOptions {
  /** What else than fp32 its kernels have. Default fp16 and q8. */
  readonly dtypes?: readonly ModelDType[];
  /** Whose operators may be used. Default "any". */
  readonly target?: Target;
  /** Whether a run may write a tensor that it reads, where that is proven to be safe. Default true. */
  readonly inPlace?: boolean;
}

/** The device of an engine. */
export function ortDevice(name: DeviceName, engine: Engine, options: OrtDeviceOptions): Device {
  const { threads, session: chosen = {}, dtypes = ["fp16", "q8"], inPlace = true, target = "any" } = options;
  const lowered = async (
    { graph, weights = {}, dtype = "fp32" }: Pick<Task, "weights" | "dtype"> & { graph: Graph | DynamicGraph },
    options: OrtSessionOptions,
  ): Promise<Lowered & { session: Session }> => {
    const lowered = toOnnx(graph, { initializers: weights, dtype, target });
    const all = { name: graph.name, ...(threads ? { threads } : {}), ...options, ...chosen };
    return { ...lowered, session: await engine.createSession(lowered.model, all) };
  };
  return {
    name,
    description: `ONNX Runtime ${engine.version} (${engine.name})`,
    dtypes,
    prepare: async (task, options = {}) => {
      const { session, made } = await lowered(task, sessionOptions(task, options));
      return { session, inPlace: inPlace ? inPlaceUpdates(task.graph, task.updates ?? {}, made) : new Set() };
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
