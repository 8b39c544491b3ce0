/** Opens an engine by name, or the best one that works here. */
import { EngineError } from "../../errors.ts";
import type { Engine } from "../session.ts";

export interface OpenEngineOptions {
  /** "auto" (default): "ort-native", else "ort-js". */
  engine?: "auto" | Engine["name"];
  /** Path of an ONNX Runtime library for "ort-native", instead of the one in onnxruntime-node. */
  library?: string;
  /** Told why "auto" did not take the native engine. */
  onFallback?: (reason: EngineError) => void;
}

/** Opens an engine. Throws EngineError when it (or, for "auto", every engine) is missing or unusable. */
export async function openEngine(options: OpenEngineOptions = {}): Promise<Engine> {
  const { engine = "auto", library, onFallback } = options;
  if (engine === "ort-js") return (await import("./js.ts")).openJsEngine();
  try {
    const { openNativeEngine } = await import("./native.ts");
    return await openNativeEngine(library === undefined ? {} : { library });
  } catch (error) {
    if (engine === "ort-native" || library !== undefined || !(error instanceof EngineError)) throw error;
    onFallback?.(error);
    return (await import("./js.ts")).openJsEngine();
  }
}
