/** The GPU behind WebGPU, with all that its adapter allows, and what is said when it is lost. */
import { EngineError } from "../../../errors.ts";

/** An open GPU. */
export interface Gpu {
  readonly device: GPUDevice;
  /** Throws EngineError once it is lost. */
  check(): void;
  /** What `work` gives, unless the GPU is lost before: then EngineError, as the work would never end. */
  orLost<T>(work: Promise<T>): Promise<T>;
}

/** Features that the engine uses where they are there. */
const FEATURES: readonly string[] = ["shader-f16", "subgroups", "timestamp-query"];
/** Limits that are raised to what the adapter allows. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** Whether there is a GPU that WebGPU reaches. One of software is none: WebAssembly is faster. */
export async function hasGpu(): Promise<boolean> {
  const adapter = await adapterOf();
  return adapter !== null && !adapter.info.isFallbackAdapter;
}

const adapterOf = async (): Promise<GPUAdapter | null> => {
  try {
    return (await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" })) ?? null;
  } catch {
    return null;
  }
};

/** Opens it. Throws EngineError where there is none. */
export async function openGpu(): Promise<Gpu> {
  const adapter = await adapterOf();
  if (!adapter)
    throw new EngineError(
      globalThis.navigator?.gpu
        ? "webgpu: expected a GPU, got no adapter from this browser"
        : "webgpu: expected a browser with WebGPU on a secure page (https or localhost), got none",
      'use the device "wasm"',
    );
  const device = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
  });
  return watched(device);
}

function watched(device: GPUDevice): Gpu {
  let lost: EngineError | undefined;
  const waiting = new Set<(error: EngineError) => void>();
  void device.lost.then(({ reason, message }) => {
    lost = new EngineError(
      `webgpu: the GPU was lost (${[reason, message].filter(Boolean).join(": ")}); what lay on it is gone`,
      'open the device and the model again, or use the device "wasm"',
    );
    for (const reject of waiting) reject(lost);
    waiting.clear();
  });
  return {
    device,
    check: () => {
      if (lost) throw lost;
    },
    orLost: (work) =>
      new Promise((resolve, reject) => {
        waiting.add(reject);
        work.then(resolve, reject).finally(() => waiting.delete(reject));
      }),
  };
}
