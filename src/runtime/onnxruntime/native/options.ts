/** Turns our options of a session into the C object. */
import { availableParallelism } from "node:os";
import { configEntries } from "../config.ts";
import type { OrtSessionOptions } from "../engine.ts";
import { type Ort, type Pointer, pathBytes } from "./ort.ts";
import type { Provider } from "./provider.ts";

const LEVELS = { none: 0, basic: 1, extended: 2, all: 99 } as const;
const PARALLEL = 1;

/**
 * Creates the options; the caller releases them. `keep` collects arrays that must live until the session exists. A provider comes
 * before the plain one, which runs what it leaves.
 */
export function createOptions(
  ort: Ort,
  where: string,
  options: OrtSessionOptions,
  keep: ArrayBufferView[],
  provider?: Provider,
): Pointer {
  const pointer = ort.get(where, "CreateSessionOptions");
  try {
    fill(ort, where, options, pointer, keep);
    provider?.(where, pointer, keep);
    return pointer;
  } catch (error) {
    ort.release("ReleaseSessionOptions", pointer);
    throw error;
  }
}

function fill(ort: Ort, where: string, options: OrtSessionOptions, pointer: Pointer, keep: ArrayBufferView[]): void {
  ort.call(where, "SetIntraOpNumThreads", pointer, options.threads ?? availableParallelism());
  ort.call(where, "SetSessionGraphOptimizationLevel", pointer, LEVELS[options.optimization ?? "all"]);
  if ((options.interOpThreads ?? 1) > 1) {
    ort.call(where, "SetSessionExecutionMode", pointer, PARALLEL);
    ort.call(where, "SetInterOpNumThreads", pointer, options.interOpThreads!);
  }
  if (options.arena === "none") ort.call(where, "DisableCpuMemArena", pointer);
  if (options.arena === "shared") ort.shareArena();
  if (!options.memoryPattern) ort.call(where, "DisableMemPattern", pointer);
  if (options.name) ort.call(where, "SetSessionLogId", pointer, options.name);
  if (options.profile !== undefined) ort.call(where, "EnableProfiling", pointer, pathBytes(options.profile));
  if (options.optimizedModelPath !== undefined)
    ort.call(where, "SetOptimizedModelFilePath", pointer, pathBytes(options.optimizedModelPath));
  const shared = options.arena === "shared" ? { "session.use_env_allocators": "1" } : {};
  for (const [key, value] of Object.entries({ ...shared, ...configEntries(options) }))
    ort.call(where, "AddSessionConfigEntry", pointer, key, value);
  if (options.externalData) addExternalData(ort, where, options.externalData, pointer, keep);
}

function addExternalData(
  ort: Ort,
  where: string,
  files: Readonly<Record<string, Uint8Array>>,
  pointer: Pointer,
  keep: ArrayBufferView[],
): void {
  const names = Object.keys(files).map(pathBytes);
  const contents = Object.values(files);
  const addresses = (arrays: readonly ArrayBufferView[]): BigUint64Array =>
    BigUint64Array.from(arrays, (array) => ort.library.address(array));
  const namePointers = addresses(names);
  const contentPointers = addresses(contents);
  const lengths = BigUint64Array.from(contents, (bytes) => BigInt(bytes.byteLength));
  keep.push(...names, ...contents, namePointers, contentPointers, lengths);
  ort.call(where, "AddExternalInitializersFromMemory", pointer, namePointers, contentPointers, lengths, names.length);
}
