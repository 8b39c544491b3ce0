/** ONNX Runtime's WebGPU provider in Node as an engine. */
import type { Engine } from "../engine.ts";
import { openOrt } from "../native/ort.ts";
import { nativeEngine } from "../native.ts";
import { nameOf, vulkanAdapters } from "./adapters.ts";
import { gpuMemory } from "./buffer.ts";
import { openGpu } from "./gpu.ts";

/** An engine, and what to call the GPU that it works on. */
export interface GpuEngine {
  readonly engine: Engine;
  readonly gpu: string;
}

/** Opens it. Throws EngineError where the library has no WebGPU, or there is no GPU. */
export async function openNodeWebGpuEngine({
  library,
}: {
  readonly library?: string | undefined;
} = {}): Promise<GpuEngine> {
  const ort = await openOrt(library);
  const gpu = await openGpu(ort);
  const engine = nativeEngine(ort, gpu.provider, gpuMemory(gpu));
  return { engine: { ...engine, name: "ort-webgpu" }, gpu: nameOf(await vulkanAdapters()) };
}
