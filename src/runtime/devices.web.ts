/** The devices of browsers. Its counterpart for Node is devices.node.ts. */

import type { DeviceName } from "./device-names.ts";
import type { OpenDevice } from "./device-options.ts";

/** A browser asks for nothing. */
export const checkPlatform = (): void => {};

/** Those that need nothing of Node. */
export const DEVICES: { readonly [N in DeviceName]?: OpenDevice<N> } = {
  wasm: async (options) => (await import("./onnxruntime/web/device.ts")).openWasmDevice(options),
  webgpu: async (options) => (await import("./onnxruntime/web/device.ts")).openWebGpuDevice(options),
  interpret: async (options) => (await import("./interpret/device.ts")).openInterpreter(options),
};
