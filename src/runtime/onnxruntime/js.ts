/** The second engine on Node: onnxruntime-node's own JavaScript API, for platforms where koffi has no binary. A run blocks the event loop. */
import { readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import type { InferenceSession } from "onnxruntime-common";
import { EngineError } from "../../errors.ts";
import type { Session } from "../session.ts";
import { checkOptions, configEntries, LEVELS } from "./config.ts";
import type { Engine, Model, OrtSessionOptions } from "./engine.ts";
import { hostMemory } from "./host-memory.ts";
import { JsSession, type Memory, type Ort } from "./js-session.ts";

/** The engine adds a date to the prefix and does not report the name. */
function newestWithPrefix(prefix: string): string {
  const folder = dirname(prefix);
  const files = readdirSync(folder)
    .filter((file) => file.startsWith(basename(prefix)) && file.endsWith(".json"))
    .map((file) => join(folder, file));
  const newest = files.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (newest === undefined) throw new EngineError(`endProfiling: no file ${prefix}*.json was written`);
  return newest;
}

function toOrtOptions(options: OrtSessionOptions): InferenceSession.SessionOptions {
  const { externalData, profile, interOpThreads = 1 } = options;
  return {
    executionProviders: ["cpu"],
    intraOpNumThreads: options.threads ?? availableParallelism(),
    interOpNumThreads: interOpThreads,
    executionMode: interOpThreads > 1 ? "parallel" : "sequential",
    graphOptimizationLevel: LEVELS[options.optimization ?? "all"],
    enableCpuMemArena: options.arena !== "none",
    enableMemPattern: options.memoryPattern ?? false,
    logSeverityLevel: 4,
    extra: configEntries(options),
    ...(options.name === undefined ? {} : { logId: options.name }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
    ...(externalData && { externalData: Object.entries(externalData).map(([path, data]) => ({ path, data })) }),
  };
}

async function createSession(ort: Ort, memory: Memory, model: Model, options: OrtSessionOptions): Promise<Session> {
  options.signal?.throwIfAborted();
  const { name = "session", profile } = options;
  checkOptions(name, options);
  const native = toOrtOptions(options);
  try {
    const session =
      model instanceof Uint8Array
        ? await ort.InferenceSession.create(model, native)
        : await ort.InferenceSession.create(model.path, native);
    options.signal?.throwIfAborted();
    const endProfile = (): string => {
      session.endProfiling();
      return newestWithPrefix(profile!);
    };
    return new JsSession({ ort, session, name, memory, endProfile: profile === undefined ? undefined : endProfile });
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof EngineError) throw cause;
    throw new EngineError(`${name}: ${(cause as Error).message.trim()}`, undefined, { cause });
  }
}

/** Opens the engine. Throws EngineError when onnxruntime-node is missing or does not load. */
export async function openJsEngine(): Promise<Engine> {
  let ort: Ort;
  try {
    ort = (await import("onnxruntime-node")) as unknown as Ort;
  } catch (cause) {
    throw new EngineError(
      `cpu-js: onnxruntime-node does not load here (${process.platform}-${process.arch}): ${(cause as Error).message}`,
      "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node (without its download of CUDA)",
      { cause },
    );
  }
  const memory = hostMemory(ort);
  return {
    name: "ort-js",
    version: ort.env.versions.node ?? "unknown",
    createSession: (model, options = {}) => createSession(ort, memory, model, options),
    allocate: memory.allocate,
    upload: memory.upload,
  };
}
