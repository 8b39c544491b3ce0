/** The names of the devices, in a file that loads no engine: recipes and command lines read them. */

/**
 * `cpu`: ONNX Runtime through its C API. `openvino`: the same with OpenVINO's provider, for bfloat16 on processors. `cpu-js`: ONNX Runtime through onnxruntime-node's own API.
 * `wasm`: ONNX Runtime as WebAssembly (onnxruntime-web), for browsers; Node runs it too.
 * `webgpu`: ONNX Runtime on any GPU: in browsers that of onnxruntime-web, in Node that of onnxruntime-node's library.
 * `interpret`: plain TypeScript, slow and exact; the oracle of the others. `xla:…`: XLA through a PJRT plugin.
 */
export const deviceNames = [
  "cpu",
  "openvino",
  "cpu-js",
  "wasm",
  "webgpu",
  "interpret",
  "xla:cpu",
  "xla:cuda",
  "xla:rocm",
  "xla:tpu",
] as const;

/** A device that `openDevice` knows. */
export type DeviceName = (typeof deviceNames)[number];

/** Devices that train with products in bfloat16. */
export const bfloat16Devices: readonly DeviceName[] = [
  "openvino",
  "interpret",
  "xla:cpu",
  "xla:cuda",
  "xla:rocm",
  "xla:tpu",
];
