/** The table of devices: name → its engine, loaded when it is asked for. A new device is a name and a row here. */
import { EngineError } from "../errors.ts";
import type { Device } from "./device.ts";
import { type DeviceName, deviceNames } from "./device-names.ts";
import type { InterpreterOptions } from "./interpret/device.ts";
import { checkNode } from "./node-version.ts";
import type { JsDeviceOptions, NativeDeviceOptions } from "./onnxruntime/device.ts";
import type { XlaOptions } from "./xla/device.ts";

/** The options of each device. */
export interface DeviceOptionsOf {
  cpu: NativeDeviceOptions;
  "cpu-js": JsDeviceOptions;
  interpret: InterpreterOptions;
  "xla:cpu": XlaOptions;
  "xla:cuda": XlaOptions;
  "xla:rocm": XlaOptions;
  "xla:tpu": XlaOptions;
}

const DEVICES: { readonly [N in DeviceName]: (options: DeviceOptionsOf[N]) => Promise<Device> } = {
  cpu: async (options) => (await import("./onnxruntime/device.ts")).openNativeDevice(options),
  "cpu-js": async (options) => (await import("./onnxruntime/device.ts")).openJsDevice(options),
  interpret: async (options) => (await import("./interpret/device.ts")).openInterpreter(options),
  "xla:cpu": async (options) => (await import("./xla/device.ts")).openXla("cpu", options),
  "xla:cuda": async (options) => (await import("./xla/device.ts")).openXla("cuda", options),
  "xla:rocm": async (options) => (await import("./xla/device.ts")).openXla("rocm", options),
  "xla:tpu": async (options) => (await import("./xla/device.ts")).openXla("tpu", options),
};

/**
 * Opens a device. Throws EngineError when its engine is not installed, when Node is too old, or for an unknown name: there is no
 * silent fallback.
 */
export async function openDevice<N extends DeviceName = "cpu">(
  name: N = "cpu" as N,
  options: DeviceOptionsOf[N] = {},
): Promise<Device> {
  checkNode();
  if (!Object.hasOwn(DEVICES, name))
    throw new EngineError(`device "${name}" does not exist`, `use one of ${deviceNames.join(", ")}`);
  return DEVICES[name](options);
}
