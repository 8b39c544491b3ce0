/** The GPUs of this machine as Vulkan names them, which is what Dawn, ONNX Runtime's WebGPU, works on under Linux. */
import { importKoffi, type Koffi } from "../../../koffi.ts";

/** A GPU, or what stands in for one. */
export interface Adapter {
  readonly name: string;
  /** VkPhysicalDeviceType: 1 integrated, 2 discrete, 3 virtual, 4 a program on processors. */
  readonly kind: number;
}

/** Kinds in the order in which Dawn prefers them when it is asked for speed. */
const PREFERRED: readonly number[] = [2, 1, 3, 4];
/** Bytes of VkInstanceCreateInfo and VkPhysicalDeviceProperties, and where the latter keeps the type and the name (vulkan_core.h). */
const [CREATE_INFO, PROPERTIES, TYPE_AT, NAME_AT, NAME_BYTES] = [64, 824, 16, 20, 256] as const;
const STRUCTURE_INSTANCE = 1;

/** Those that Dawn may take, best kind first; undefined where Vulkan's loader is missing or refuses. */
export async function vulkanAdapters(): Promise<Adapter[] | undefined> {
  const koffi = await importKoffi("webgpu");
  try {
    return enumerate(koffi.load("libvulkan.so.1"));
  } catch {
    return undefined;
  }
}

function enumerate(vulkan: ReturnType<Koffi["load"]>): Adapter[] | undefined {
  const create = vulkan.func("vkCreateInstance", "int", ["void *", "void *", "void *"]);
  const list = vulkan.func("vkEnumeratePhysicalDevices", "int", ["void *", "void *", "void *"]);
  const describe = vulkan.func("vkGetPhysicalDeviceProperties", "void", ["void *", "void *"]);
  const destroy = vulkan.func("vkDestroyInstance", "void", ["void *", "void *"]);
  const info = new DataView(new ArrayBuffer(CREATE_INFO));
  info.setUint32(0, STRUCTURE_INSTANCE, true);
  const instance = new BigUint64Array(1);
  if (create(info, null, instance) !== 0) return undefined;
  try {
    const count = new Uint32Array(1);
    if (list(instance[0], count, null) !== 0) return undefined;
    const devices = new BigUint64Array(count[0]!);
    if (list(instance[0], count, devices) < 0) return undefined;
    const found = Array.from(devices.subarray(0, count[0]), (device) => {
      const properties = new Uint8Array(PROPERTIES);
      describe(device, properties);
      return read(properties);
    });
    return found.sort((a, b) => PREFERRED.indexOf(a.kind) - PREFERRED.indexOf(b.kind));
  } finally {
    destroy(instance[0], null);
  }
}

function read(properties: Uint8Array): Adapter {
  const text = properties.subarray(NAME_AT, NAME_AT + NAME_BYTES);
  return {
    name: new TextDecoder().decode(text.subarray(0, text.indexOf(0))),
    kind: new DataView(properties.buffer).getUint32(TYPE_AT, true),
  };
}

/** What to call the GPU that Dawn takes: the best of its kind, or all of these where several are alike. */
export function nameOf(adapters: readonly Adapter[] | undefined): string {
  const [first] = adapters ?? [];
  if (!first) return "the GPU of this machine";
  const alike = adapters!.filter(({ kind }) => kind === first.kind).map(({ name }) => name);
  return [...new Set(alike)].join(" or ");
}
