/**
 * The slots of ONNX Runtime's `OrtApi` table that we call: name, index and C arguments. The table is append-only
 * (onnxruntime_c_api.h), so an index never changes; every function here exists since API version 22.
 */
import type { LibraryHandle } from "koffi";

/** The version asked of `GetApi`: the first that has every slot below. */
export const API_VERSION = 22;

const slots = {
  GetErrorMessage: [2, ["void *"], "str"],
  CreateEnv: [3, ["int", "str", "void *"]],
  CreateEnvWithCustomLogger: [4, ["void *", "void *", "int", "str", "void *"]],
  CreateSession: [7, ["void *", "void *", "void *", "void *"]],
  CreateSessionFromArray: [8, ["void *", "void *", "size_t", "void *", "void *"]],
  Run: [9, ["void *", "void *", "void *", "void *", "size_t", "void *", "size_t", "void *"]],
  CreateSessionOptions: [10, ["void *"]],
  SetOptimizedModelFilePath: [11, ["void *", "void *"]],
  SetSessionExecutionMode: [13, ["void *", "int"]],
  EnableProfiling: [14, ["void *", "void *"]],
  DisableMemPattern: [17, ["void *"]],
  DisableCpuMemArena: [19, ["void *"]],
  SetSessionLogId: [20, ["void *", "str"]],
  SetSessionGraphOptimizationLevel: [23, ["void *", "int"]],
  SetIntraOpNumThreads: [24, ["void *", "int"]],
  SetInterOpNumThreads: [25, ["void *", "int"]],
  SessionGetInputCount: [30, ["void *", "void *"]],
  SessionGetOutputCount: [31, ["void *", "void *"]],
  SessionGetInputTypeInfo: [33, ["void *", "size_t", "void *"]],
  SessionGetOutputTypeInfo: [34, ["void *", "size_t", "void *"]],
  SessionGetInputName: [36, ["void *", "size_t", "void *", "void *"]],
  SessionGetOutputName: [37, ["void *", "size_t", "void *", "void *"]],
  CreateRunOptions: [39, ["void *"]],
  RunOptionsSetTerminate: [46, ["void *"]],
  CreateTensorAsOrtValue: [48, ["void *", "void *", "size_t", "int", "void *"]],
  CreateTensorWithDataAsOrtValue: [49, ["void *", "void *", "size_t", "void *", "size_t", "int", "void *"]],
  GetTensorMutableData: [51, ["void *", "void *"]],
  CastTypeInfoToTensorInfo: [55, ["void *", "void *"]],
  GetTensorElementType: [60, ["void *", "void *"]],
  GetDimensionsCount: [61, ["void *", "void *"]],
  GetDimensions: [62, ["void *", "void *", "size_t"]],
  GetSymbolicDimensions: [63, ["void *", "void *", "size_t"]],
  GetTensorTypeAndShape: [65, ["void *", "void *"]],
  CreateMemoryInfo: [68, ["str", "int", "int", "int", "void *"]],
  CreateCpuMemoryInfo: [69, ["int", "int", "void *"]],
  AllocatorFree: [76, ["void *", "void *"]],
  GetAllocatorWithDefaultOptions: [78, ["void *"]],
  ReleaseStatus: [93, ["void *"], "void"],
  ReleaseSession: [95, ["void *"], "void"],
  ReleaseValue: [96, ["void *"], "void"],
  ReleaseRunOptions: [97, ["void *"], "void"],
  ReleaseTypeInfo: [98, ["void *"], "void"],
  ReleaseTensorTypeAndShapeInfo: [99, ["void *"], "void"],
  ReleaseSessionOptions: [100, ["void *"], "void"],
  SessionEndProfiling: [110, ["void *", "void *", "void *"]],
  GetAvailableProviders: [125, ["void *", "void *"]],
  ReleaseAvailableProviders: [126, ["void *", "int"]],
  AddSessionConfigEntry: [130, ["void *", "str", "str"]],
  CreateAllocator: [131, ["void *", "void *", "void *"]],
  CreateAndRegisterAllocator: [144, ["void *", "void *", "void *"]],
  SessionOptionsAppendExecutionProvider: [216, ["void *", "str", "void *", "void *", "size_t"]],
  UpdateEnvWithCustomLogLevel: [226, ["void *", "int"]],
  AddExternalInitializersFromMemory: [279, ["void *", "void *", "void *", "void *", "size_t"]],
  SessionOptionsSetLoadCancellationFlag: [293, ["void *", "bool"]],
  RegisterExecutionProviderLibrary: [301, ["void *", "str", "void *"]],
  GetEpDevices: [303, ["void *", "void *", "void *"]],
  SessionOptionsAppendExecutionProvider_V2: [
    304,
    ["void *", "void *", "void *", "size_t", "void *", "void *", "size_t"],
  ],
  HardwareDevice_Type: [307, ["void *"], "int"],
  EpDevice_EpName: [312, ["void *"], "str"],
  EpDevice_Device: [316, ["void *"], "void *"],
} as const;

export type Slot = keyof typeof slots;

/** `[slot, arguments, result]`; the result is an `OrtStatus *` (null: success) unless given. */
export const SLOTS: Readonly<Record<Slot, readonly [slot: number, args: readonly string[], result?: string]>> = slots;

/** A C function, callable synchronously or (`.async`) on a thread of libuv's pool. */
type NativeFunction = ReturnType<LibraryHandle["func"]>;

/** The functions by name. */
export type Functions = Readonly<Record<Slot, NativeFunction>>;

/** How many slots must be readable. */
export const SLOT_COUNT: number = 1 + Math.max(...Object.values(SLOTS).map(([slot]) => slot));
