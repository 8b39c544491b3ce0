/**
 * The slots of ONNX Runtime's `OrtApi` table that we call: name, index and C arguments. The table is append-only
 * (onnxruntime_c_api.h), so an index never changes; every function here exists since API version 22.
 */
import type { LibraryHandle } from "koffi";

/** The version asked of `GetApi`: the first that has every slot below. */
export const API_VERSION = 22;

const P = "void *";

const slots = {
  GetErrorMessage: [2, [P], "str"],
  CreateEnv: [3, ["int", "str", P]],
  CreateSession: [7, [P, P, P, P]],
  CreateSessionFromArray: [8, [P, P, "size_t", P, P]],
  Run: [9, [P, P, P, P, "size_t", P, "size_t", P]],
  CreateSessionOptions: [10, [P]],
  SetOptimizedModelFilePath: [11, [P, P]],
  SetSessionExecutionMode: [13, [P, "int"]],
  EnableProfiling: [14, [P, P]],
  DisableMemPattern: [17, [P]],
  DisableCpuMemArena: [19, [P]],
  SetSessionLogId: [20, [P, "str"]],
  SetSessionGraphOptimizationLevel: [23, [P, "int"]],
  SetIntraOpNumThreads: [24, [P, "int"]],
  SetInterOpNumThreads: [25, [P, "int"]],
  SessionGetInputCount: [30, [P, P]],
  SessionGetOutputCount: [31, [P, P]],
  SessionGetInputTypeInfo: [33, [P, "size_t", P]],
  SessionGetOutputTypeInfo: [34, [P, "size_t", P]],
  SessionGetInputName: [36, [P, "size_t", P, P]],
  SessionGetOutputName: [37, [P, "size_t", P, P]],
  CreateRunOptions: [39, [P]],
  RunOptionsSetTerminate: [46, [P]],
  CreateTensorAsOrtValue: [48, [P, P, "size_t", "int", P]],
  CreateTensorWithDataAsOrtValue: [49, [P, P, "size_t", P, "size_t", "int", P]],
  GetTensorMutableData: [51, [P, P]],
  CastTypeInfoToTensorInfo: [55, [P, P]],
  GetTensorElementType: [60, [P, P]],
  GetDimensionsCount: [61, [P, P]],
  GetDimensions: [62, [P, P, "size_t"]],
  GetSymbolicDimensions: [63, [P, P, "size_t"]],
  GetTensorTypeAndShape: [65, [P, P]],
  CreateCpuMemoryInfo: [69, ["int", "int", P]],
  AllocatorFree: [76, [P, P]],
  GetAllocatorWithDefaultOptions: [78, [P]],
  ReleaseStatus: [93, [P], "void"],
  ReleaseSession: [95, [P], "void"],
  ReleaseValue: [96, [P], "void"],
  ReleaseRunOptions: [97, [P], "void"],
  ReleaseTypeInfo: [98, [P], "void"],
  ReleaseTensorTypeAndShapeInfo: [99, [P], "void"],
  ReleaseSessionOptions: [100, [P], "void"],
  SessionEndProfiling: [110, [P, P, P]],
  AddSessionConfigEntry: [130, [P, "str", "str"]],
  AddExternalInitializersFromMemory: [279, [P, P, P, P, "size_t"]],
  SessionOptionsSetLoadCancellationFlag: [293, [P, "bool"]],
} as const satisfies Record<string, readonly [slot: number, args: readonly string[], result?: string]>;

export type Slot = keyof typeof slots;

/** `[slot, arguments, result]`; the result is an `OrtStatus *` (null: success) unless given. */
export const SLOTS: Readonly<Record<Slot, readonly [slot: number, args: readonly string[], result?: string]>> = slots;

/** A C function, callable synchronously or (`.async`) on a thread of libuv's pool. */
type NativeFunction = ReturnType<LibraryHandle["func"]>;

/** The functions by name. */
export type Functions = Readonly<Record<Slot, NativeFunction>>;

/** How many slots must be readable. */
export const SLOT_COUNT: number = 1 + Math.max(...Object.values(SLOTS).map(([slot]) => slot));
