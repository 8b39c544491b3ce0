/** The device `webgpu` in Node: ONNX Runtime's WebGPU provider through its C API, with the state of a training on the GPU. */
import type { Device } from "../../device.ts";
import type { WebGpuOptions } from "../../device-options.ts";
import { ortDevice } from "../ort-device.ts";
import { openNodeWebGpuEngine } from "./engine.ts";

/** Opens it. Throws EngineError where the library has no WebGPU, or there is no GPU. */
export async function openNodeWebGpu({ library, wasmPaths: _, ...options }: WebGpuOptions): Promise<Device> {
  const { engine, gpu } = await openNodeWebGpuEngine({ library });
  return {
    ...ortDevice("webgpu", engine, { ...options, dtypes: ["fp16"], target: "webgpu" }),
    description: `ONNX Runtime ${engine.version} with WebGPU on ${gpu}`,
    remark: `webgpu on ${gpu}: experimental, tried on a GPU of software only so far (docs/webgpu.md)`,
  };
}
