/** The devices of Node: name → its engine, loaded when it is asked for. A new device is a name, its options and a row here. */

import type { DeviceName } from "./device-names.ts";
import type { OpenDevice } from "./device-options.ts";
import { checkNode } from "./node-version.ts";

/** Throws EngineError where Node is too old. */
export const checkPlatform = (): void => checkNode();

/** All of them. */
export const DEVICES: { readonly [N in DeviceName]: OpenDevice<N> } = {
  cpu: async (options) => (await import("./onnxruntime/device.ts")).openNativeDevice(options),
  openvino: async (options) => (await import("./onnxruntime/openvino/device.ts")).openOpenVino(options),
  "cpu-js": async (options) => (await import("./onnxruntime/device.ts")).openJsDevice(options),
  wasm: async (options) => (await import("./onnxruntime/web/device.ts")).openWasmDevice(options),
  webgpu: async (options) => (await import("./onnxruntime/webgpu/device.ts")).openNodeWebGpu(options),
  interpret: async (options) => (await import("./interpret/device.ts")).openInterpreter(options),
  "xla:cpu": async (options) => (await import("./xla/device.ts")).openXla("cpu", options),
  "xla:cuda": async (options) => (await import("./xla/device.ts")).openXla("cuda", options),
  "xla:rocm": async (options) => (await import("./xla/device.ts")).openXla("rocm", options),
  "xla:tpu": async (options) => (await import("./xla/device.ts")).openXla("tpu", options),
};
