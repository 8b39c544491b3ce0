/**
 * The engine of choice on Node: ONNX Runtime's C API, called through koffi in the library of an npm package.
 * Runs hold one thread of libuv's pool (`UV_THREADPOOL_SIZE`, 4 by default, shared with file access) while they last.
 */
import type { Engine } from "./engine.ts";
import { type NativeMemory, processMemory } from "./native/memory.ts";
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
export function nativeEngine(ort: Ort, provider?: Provider, memory: NativeMemory = processMemory(ort)): Engine {
  return {
    name: "ort-native",
    version: ort.library.version,
    createSession: (model, options = {}) => createNativeSession({ ort, memory }, model, options, provider),
    allocate: (dtype, shape) => memory.allocate(dtype, shape),
    upload: (t) => memory.upload(t),
  };
}
