/** ONNX Runtime's C functions with errors thrown, and the process-wide objects that every call needs. */
import { isMainThread } from "node:worker_threads";
import { EngineError, ShapeError } from "../../../errors.ts";
import { type DType, formatShape, type Shape } from "../../../tensor/index.ts";
import type { Slot } from "./api.ts";
import { type Library, loadLibrary } from "./library.ts";

/** A native pointer; 0n is NULL. */
export type Pointer = bigint;

/** An argument of a C call. Typed arrays pass the address of their memory. */
export type Argument = Pointer | number | string | boolean | ArrayBufferView | null;

const DTYPES = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const satisfies Record<DType, number>;

/** ONNX's number of an element type. */
export const elementType = (dtype: DType): number => DTYPES[dtype];

/** The dtype of ONNX's number, or undefined for a type that flava has no array for. */
export const dtypeOf = (type: number): DType | undefined =>
  (Object.keys(DTYPES) as DType[]).find((dtype) => DTYPES[dtype] === type);

/** NUL-terminated text as the library wants a path: UTF-16 on Windows, UTF-8 elsewhere. */
export const pathBytes = (path: string): Uint8Array =>
  new Uint8Array(Buffer.from(`${path}\0`, process.platform === "win32" ? "utf16le" : "utf8"));

/** A loaded ONNX Runtime with its environment. */
export interface Ort {
  readonly library: Library;
  readonly environment: Pointer;
  readonly allocator: Pointer;
  readonly cpu: Pointer;
  /** Calls a function that returns a status. Throws EngineError `where: message` on failure. */
  call(where: string, slot: Slot, ...args: Argument[]): void;
  /** The same on a thread of libuv's pool. `args` and `keep` stay alive until it settles. */
  callAsync(where: string, slot: Slot, args: readonly Argument[], keep?: unknown): Promise<void>;
  /** Calls a function whose last argument is a pointer to a pointer or to a 64-bit number, and returns that. */
  get(where: string, slot: Slot, ...args: Argument[]): bigint;
  /** The lengths of `shape` for one synchronous call, in an array that the next such call uses again. */
  lengths(shape: Shape): BigInt64Array;
  /** Gives the environment the arena of "shared" sessions, once. */
  shareArena(): void;
  /** From now on the engine's log of errors is kept: a GPU's come after the call that made them. */
  keepErrors(): void;
  /** The errors kept since the last call, oldest first. */
  takeErrors(): string[];
  /** Calls a release function. */
  release(slot: Slot, pointer: Pointer): void;
}

const MAX_RANK = 32;
const [ERRORS, SILENT_BUT_FATAL] = [3, 4] as const;
/** Errors kept at most. */
const KEPT = 50;
const ARENA_ALLOCATOR = 1;
const DEFAULT_MEMORY = 0;

/** Calls under way: koffi does not keep the arrays of an asynchronous call from being collected. */
const pending = new Set<unknown>();

const WHERE = "ort-native";

const opened = new Map<Library, Ort>();

/** One environment per library: ONNX Runtime allows a single one in a process. */
export async function openOrt(path?: string): Promise<Ort> {
  const library = await loadLibrary(path);
  let ort = opened.get(library);
  if (!ort) {
    ort = createOrt(library);
    opened.set(library, ort);
  }
  return ort;
}

/** The log goes to a function of the main thread, as one of another thread would end with it. */
function createEnvironment(library: Library, get: Ort["get"], listen: (message: string) => void): Pointer {
  if (!isMainThread) return get(WHERE, "CreateEnv", SILENT_BUT_FATAL, "flava");
  return get(WHERE, "CreateEnvWithCustomLogger", library.logger(listen), null, SILENT_BUT_FATAL, "flava");
}

function createOrt(library: Library): Ort {
  const { fn } = library;
  const check = (where: string, status: Pointer | null): void => {
    if (status === null) return;
    const message = (fn.GetErrorMessage(status) as string).trim();
    fn.ReleaseStatus(status);
    throw new EngineError(`${where}: ${message}`);
  };
  const call: Ort["call"] = (where, slot, ...args) => check(where, fn[slot](...args) as Pointer | null);
  const callAsync: Ort["callAsync"] = (where, slot, args, keep) =>
    new Promise((resolve, reject) => {
      const call = { args, keep };
      pending.add(call);
      fn[slot].async(...args, (error: Error | null, status: Pointer | null) => {
        pending.delete(call);
        try {
          if (error) throw new EngineError(`${where}: ${error.message}`, undefined, { cause: error });
          check(where, status);
          resolve();
        } catch (reason) {
          reject(reason);
        }
      });
    });
  // These two are reused: thousands of small arrays between large buffers would fragment the C heap until the next
  // garbage collection.
  const out = new BigUint64Array(1);
  const scratch = new BigInt64Array(MAX_RANK);
  const get: Ort["get"] = (where, slot, ...args) => {
    out[0] = 0n;
    call(where, slot, ...args, out);
    return out[0];
  };
  const lengths: Ort["lengths"] = (shape) => {
    if (shape.length > MAX_RANK)
      throw new ShapeError(`expected at most ${MAX_RANK} axes, got shape ${formatShape(shape)}`);
    for (let i = 0; i < shape.length; i++) scratch[i] = BigInt(shape[i]!);
    return scratch;
  };
  const release: Ort["release"] = (slot, pointer) => {
    if (pointer !== 0n) fn[slot](pointer);
  };
  const errors: string[] = [];
  const environment = createEnvironment(library, get, (message) => {
    if (errors.length < KEPT) errors.push(message);
  });
  const cpu = get(WHERE, "CreateCpuMemoryInfo", ARENA_ALLOCATOR, DEFAULT_MEMORY);
  let shared = false;
  const shareArena = (): void => {
    if (!shared) call(WHERE, "CreateAndRegisterAllocator", environment, cpu, null);
    shared = true;
  };
  return {
    library,
    environment,
    allocator: get(WHERE, "GetAllocatorWithDefaultOptions"),
    cpu,
    call,
    callAsync,
    get,
    lengths,
    shareArena,
    keepErrors: () => call(WHERE, "UpdateEnvWithCustomLogLevel", environment, ERRORS),
    takeErrors: () => errors.splice(0),
    release,
  };
}
