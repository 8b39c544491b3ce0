/** ONNX Runtime as devices of browsers: `wasm` on processors, `webgpu` on the GPU. Node runs `wasm` too. */
import type { Device } from "../../device.ts";
import type { WebDeviceOptions, WebGpuOptions } from "../../device-options.ts";
import { ortDevice } from "../ort-device.ts";
import { openWasmEngine, openWebGpuEngine } from "./engine.ts";

/** The device `wasm`. Throws EngineError. */
export async function openWasmDevice({ threads, wasmPaths, ...options }: WebDeviceOptions): Promise<Device> {
  return ortDevice("wasm", await openWasmEngine({ threads, wasmPaths }), options);
}

/** The device `webgpu`. Throws EngineError. */
export async function openWebGpuDevice({ threads, wasmPaths, library: _, ...options }: WebGpuOptions): Promise<Device> {
  const engine = await openWebGpuEngine({ threads, wasmPaths });
  // WebGPU refuses a shader that reads and writes one buffer, so values and their successors lie in two.
  return ortDevice("webgpu", engine, { ...options, dtypes: ["fp16"], inPlace: false, target: "webgpu" });
}
