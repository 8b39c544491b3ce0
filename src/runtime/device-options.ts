/** The options of each device, in a file that loads no engine. */

import type { DeviceOptions } from "./device.ts";
import type { DeviceName } from "./device-names.ts";
import type { InterpreterOptions } from "./interpret/device.ts";
import type { OrtSessionOptions } from "./onnxruntime/engine.ts";

/** Of ONNX Runtime through onnxruntime-node's own API. */
export interface JsDeviceOptions extends DeviceOptions {
  /** Options of every session, instead of those that its purpose gives. */
  session?: Omit<OrtSessionOptions, "name" | "threads" | "profile" | "signal">;
}

/** Of ONNX Runtime through its C API. */
export interface NativeDeviceOptions extends JsDeviceOptions {
  /** Path of another ONNX Runtime library. */
  library?: string;
}

/** Where compiled programs are kept, and which. */
export interface CompiledOptions {
  /** Default: `compiled/xla/` or `compiled/openvino/` in the cache folder. */
  readonly folder?: string | undefined;
  /** Programs that took less are not kept. Default 1000, as JAX's. */
  readonly minMs?: number | undefined;
  /** Of all together; those that were not used for longest go. Default 4 GiB. */
  readonly maxBytes?: number | undefined;
}

/** Of ONNX Runtime with OpenVINO's provider. */
export interface OpenVinoOptions extends NativeDeviceOptions {
  /** Path of the provider's library; it is looked for unless said. */
  provider?: string;
  /** What products of inference read. Default "bf16" where the processor has AMX or avx512_bf16, else "fp32". Training says its own. */
  inference?: "fp32" | "bf16";
  /** Compiled graphs are kept on disk, for the next process; false: they are not. */
  readonly compiled?: CompiledOptions | false | undefined;
}

/** Of onnxruntime-web. More than one thread needs a page that is cross-origin isolated. */
export interface WebDeviceOptions extends JsDeviceOptions {
  /** Where the engine's .wasm file lies, where a bundler has not put it beside its script: its address, or that of its folder with a slash at the end. */
  wasmPaths?: string;
}

/** Of WebGPU: in browsers onnxruntime-web, in Node ONNX Runtime through its C API. `threads` are for the few operators that run on processors. */
export interface WebGpuOptions extends WebDeviceOptions {
  /** Node: path of another ONNX Runtime library, with WebGPU in it. */
  library?: string;
}

/** Of XLA. `threads` is not taken: XLA has a pool of its own. */
export interface XlaOptions extends DeviceOptions {
  /** Path of the plugin; it is looked for unless said. */
  readonly library?: string | undefined;
  /** GPUs: the share of the memory that XLA may take, 0 to 1. Default 0.9. */
  readonly memoryFraction?: number;
  /** GPUs: take that share at once. Default false: as much as is needed. */
  readonly preallocate?: boolean;
  /** GPUs: "default", "platform", "bfc" or "cuda_async". */
  readonly allocator?: string;
  /** Processors: how many devices to pretend. Default 1. */
  readonly devices?: number;
  /** Compiled programs are kept on disk, for the next process; false: they are not. */
  readonly compiled?: CompiledOptions | false | undefined;
  /** Try the plugin in a process of its own before it is loaded, once. Default true: some end the process that loads them. */
  readonly trial?: boolean | undefined;
}

/** By the device's name. */
export interface DeviceOptionsOf {
  cpu: NativeDeviceOptions;
  openvino: OpenVinoOptions;
  "cpu-js": JsDeviceOptions;
  wasm: WebDeviceOptions;
  webgpu: WebGpuOptions;
  interpret: InterpreterOptions;
  "xla:cpu": XlaOptions;
  "xla:cuda": XlaOptions;
  "xla:rocm": XlaOptions;
  "xla:tpu": XlaOptions;
}

/** Opens one device; the table of devices has one for each name. */
export type OpenDevice<N extends DeviceName> = (options: DeviceOptionsOf[N]) => Promise<import("./device.ts").Device>;
