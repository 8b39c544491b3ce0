/**
 * The engine of choice on Node: ONNX Runtime's C API, called through koffi in the library of an npm package.
 * Runs hold one thread of libuv's pool (`UV_THREADPOOL_SIZE`, 4 by default, shared with file access) while they last.
 */
import type { DType, Shape, Tensor } from "../../tensor/index.ts";
import type { Buffer } from "../session.ts";
import type { Engine } from "./engine.ts";
import { allocateBuffer } from "./native/buffer.ts";
import { type Ort, openOrt } from "./native/ort.ts";
import type { Provider } from "./native/provider.ts";
import { createNativeSession } from "./native/session.ts";

export interface NativeEngineOptions {
  /** Path of an ONNX Runtime library (1.22 or later) instead of that of an npm package. */
  library?: string;
}

/** Opens the engine. Throws EngineError when koffi or the library is missing or unusable. */
export async function openNativeEngine(options: NativeEngineOptions = {}): Promise<Engine> {
  return nativeEngine(await openOrt(options.library));
}

/** The engine of an opened library, its sessions with a provider where one is given. */
export function nativeEngine(ort: Ort, provider?: Provider): Engine {
  return {
    name: "ort-native",
    version: ort.library.version,
    createSession: (model, sessionOptions = {}) => createNativeSession(ort, model, sessionOptions, provider),
    allocate: (dtype: DType, shape: Shape): Buffer => allocateBuffer(ort, dtype, shape),
    upload: (t: Tensor): Buffer => {
      const buffer = allocateBuffer(ort, t.dtype, t.shape);
      try {
        buffer.write(t);
        return buffer;
      } catch (error) {
        buffer.dispose();
        throw error;
      }
    },
  };
}
