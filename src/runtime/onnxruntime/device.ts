/** ONNX Runtime as devices of Node: `cpu` through its C API, `cpu-js` through onnxruntime-node. */
import type { Device } from "../device.ts";
import type { JsDeviceOptions, NativeDeviceOptions } from "../device-options.ts";
import { ortDevice } from "./ort-device.ts";

/** The device `cpu`. Throws EngineError when koffi or the library is missing or unusable. */
export async function openNativeDevice({ library, ...options }: NativeDeviceOptions): Promise<Device> {
  const { openNativeEngine } = await import("./native.ts");
  return ortDevice("cpu", await openNativeEngine(library === undefined ? {} : { library }), options);
}

/** The device `cpu-js`. Throws EngineError when onnxruntime-node is missing or does not load. */
export async function openJsDevice(options: JsDeviceOptions): Promise<Device> {
  const { openJsEngine } = await import("./js.ts");
  return ortDevice("cpu-js", await openJsEngine(), options);
}
