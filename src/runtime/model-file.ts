/** ONNX files as sessions: for looking at what was exported, from here or from elsewhere. */
import type { Session } from "./session.ts";

/** How a model file is run. */
export interface ModelFileOptions {
  /** Threads of one operator; all processors unless said. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an ONNX file, with its data file beside it, in ONNX Runtime; `runtime` "js" takes onnxruntime-node's own interface.
 * Throws EngineError where there is no engine or the engine refuses the file.
 */
export async function openOnnxFile(
  path: string,
  { threads, signal }: ModelFileOptions = {},
  runtime: "native" | "js" = "native",
): Promise<Session> {
  const engine =
    runtime === "native"
      ? await (await import("./onnxruntime/native.ts")).openNativeEngine()
      : await (await import("./onnxruntime/js.ts")).openJsEngine();
  return engine.createSession({ path }, { name: path, ...(threads ? { threads } : {}), ...(signal ? { signal } : {}) });
}
