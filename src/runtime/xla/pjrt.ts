/**
 * The PJRT C API of a plugin (openxla/xla, xla/pjrt/c/pjrt_c_api.h). Every function is `PJRT_Error *f(Args *)`: the argument
 * structs are zeroed arrays of 64-bit words here, written at the header's byte offsets.
 */
import { existsSync } from "node:fs";
import { EngineError } from "../../errors.ts";
import { importKoffi, type Koffi, pin } from "../../koffi.ts";
import { wrongLibrary } from "../wrong-library.ts";

/** Place of each function that we call in the plugin's table, which only ever grows. */
const SLOTS = {
  errorDestroy: 0,
  errorMessage: 1,
  errorCode: 2,
  initialize: 3,
  attributes: 4,
  eventDestroy: 5,
  eventAwait: 8,
  createClient: 10,
  destroyClient: 11,
  platformName: 12,
  platformVersion: 14,
  devices: 16,
  compile: 20,
  fromHost: 22,
  deviceKind: 26,
  deviceDescription: 29,
  memoryStats: 34,
  executableDestroy: 40,
  numOutputs: 44,
  serialize: 49,
  destroyLoaded: 50,
  getExecutable: 51,
  execute: 55,
  deserialize: 56,
  bufferDestroy: 58,
  isDeleted: 68,
  toHost: 70,
} as const;

/** Functions that a plugin need not have. */
const OPTIONAL = { programMemory: 96 } as const;

/** A function of PJRT_Api that we call. */
export type Slot = keyof typeof SLOTS | keyof typeof OPTIONAL;

const HEAD_BYTES = 40;
const SLOT_COUNT = 1 + Math.max(...Object.values(SLOTS));
/** The first version of the operations that programs are made of: what StableHLO promises to keep. */
const OLDEST_STABLEHLO = 1;

/** An address in C's memory. */
export type Pointer = bigint;
/** An argument struct, or any array that one points to. */
export type Words = BigUint64Array;

/** A zeroed struct of `bytes`, which is its first field; `fields`: byte offset → 64-bit value. */
export function struct(bytes: number, fields: Readonly<Record<number, bigint | number>> = {}): Words {
  const words = new BigUint64Array(Math.ceil(bytes / 8));
  words[0] = BigInt(bytes);
  for (const [offset, value] of Object.entries(fields)) words[Number(offset) / 8] = BigInt(value);
  return words;
}

/** What a plugin says when a call fails: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto. */
export class PjrtError extends EngineError {
  readonly status: number;
  readonly said: string;
  constructor(where: string, status: number, said: string, help?: string) {
    super(`${where}: ${said}`, help);
    this.status = status;
    this.said = said;
  }
}

/** The device's memory is full. */
export const RESOURCE_EXHAUSTED = 8;

type Functions = Readonly<Record<Slot, ReturnType<Koffi["decode"]> | undefined>>;

/** A loaded plugin. */
export class Pjrt {
  readonly path: string;
  /** Of the C API: [0, 115]. */
  readonly version: readonly [major: number, minor: number];
  /** What the plugin says of itself: `xla_version`, `stablehlo_current_version`, … */
  readonly attributes: Readonly<Record<string, string | number | readonly number[]>>;
  readonly #koffi: Koffi;
  readonly #fn: Functions;
  /** What native code points at while a call runs. */
  readonly #alive = new Set<unknown>();

  constructor(koffi: Koffi, path: string, api: Pointer) {
    this.#koffi = koffi;
    this.path = path;
    const [bytes] = new BigUint64Array(koffi.view(api, 8));
    this.version = [...new Int32Array(koffi.view(api, HEAD_BYTES)).slice(8, 10)] as [number, number];
    const slots = (Number(bytes) - HEAD_BYTES) / 8;
    if (this.version[0] !== 0 || slots < SLOT_COUNT)
      throw new EngineError(
        `xla: ${path}: expected PJRT 0.x with at least ${SLOT_COUNT} functions, got ${this.version.join(".")} with ${slots}`,
        "fetch one of 2024 or later: flava engine add xla-cpu, xla-cuda13, xla-rocm or xla-tpu",
      );
    const table = new BigUint64Array(koffi.view(api, Number(bytes)));
    const proto = koffi.proto("void *", ["void *"]);
    this.#fn = Object.fromEntries(
      Object.entries({ ...SLOTS, ...OPTIONAL }).map(([name, slot]) => {
        const at = slot < slots ? table[HEAD_BYTES / 8 + slot]! : 0n;
        return [name, at === 0n ? undefined : koffi.decode(at, proto)];
      }),
    ) as Functions;
    this.call("xla", "initialize", struct(16));
    this.attributes = readAttributes(this);
    this.#checkStableHlo();
  }

  /** Whether the plugin has a function. */
  has(slot: Slot): boolean {
    return this.#fn[slot] !== undefined;
  }

  #checkStableHlo(): void {
    const version = this.attributes.stablehlo_current_version;
    if (!Array.isArray(version) || version[0] >= OLDEST_STABLEHLO) return;
    throw new EngineError(
      `xla: ${this.path}: expected a plugin that reads StableHLO ${OLDEST_STABLEHLO}.0 or later, got one for ${version.join(".")}`,
      "fetch a newer one: flava engine list",
    );
  }

  /** The address of an array; keep the array until the call that reads it has ended (`keep` of `callAsync`). */
  address(array: ArrayBufferView): Pointer {
    return this.#koffi.address(array);
  }

  /** Calls, and gives the struct back with its results. Throws PjrtError. */
  call(where: string, slot: Slot, args: Words, keep?: unknown): Words {
    this.#alive.add(keep);
    try {
      this.#check(where, this.#function(where, slot)(args));
      return args;
    } finally {
      this.#alive.delete(keep);
    }
  }

  /** The same on a thread of libuv's pool. */
  callAsync(where: string, slot: Slot, args: Words, keep?: unknown): Promise<Words> {
    const held = [args, keep];
    const call = this.#function(where, slot);
    this.#alive.add(held);
    return new Promise((resolve, reject) => {
      call.async(args, (error: unknown, failure: Pointer | null) => {
        this.#alive.delete(held);
        try {
          if (error) throw error;
          this.#check(where, failure);
          resolve(args);
        } catch (reason) {
          reject(reason);
        }
      });
    });
  }

  /** Waits for an event, which goes away. Throws the PjrtError that it carries. */
  async settle(where: string, event: Pointer | undefined, keep?: unknown): Promise<void> {
    if (!event) return;
    try {
      await this.callAsync(where, "eventAwait", struct(24, { 16: event }), keep);
    } finally {
      this.call(where, "eventDestroy", struct(24, { 16: event }));
    }
  }

  /** Text of the plugin's. */
  text(pointer: Pointer, bytes: bigint): string {
    return new TextDecoder().decode(new Uint8Array(this.#koffi.view(pointer, Number(bytes))));
  }

  /** A copy of bytes of the plugin's. */
  bytes(pointer: Pointer, count: number): Uint8Array {
    return count === 0 ? new Uint8Array() : new Uint8Array(this.#koffi.view(pointer, count)).slice();
  }

  /** Calls a function that the plugin has given: `void f(void *)`. */
  callPointer(pointer: Pointer, argument: Pointer): void {
    this.#koffi.decode(pointer, this.#koffi.proto("void", ["void *"]))(argument);
  }

  /** 64-bit words of the plugin's. */
  words(pointer: Pointer, count: number): Words {
    return count === 0 ? new BigUint64Array() : new BigUint64Array(this.#koffi.view(pointer, 8 * count)).slice();
  }

  /** A place of the table that is empty must not be called. */
  #function(where: string, slot: Slot): ReturnType<Koffi["decode"]> {
    const found = this.#fn[slot];
    if (found !== undefined) return found;
    throw new EngineError(`${where}: ${this.path} has no function ${slot}`, "fetch a newer plugin: flava engine list");
  }

  #check(where: string, failure: Pointer | null): void {
    if (!failure) return;
    const message = struct(40, { 16: failure });
    this.#function(where, "errorMessage")(message);
    const said = this.text(message[3]!, message[4]!);
    const code = struct(28, { 16: failure });
    const broken = this.#function(where, "errorCode")(code);
    const status = broken ? 2 : Number(code[3]! & 0xffffffffn);
    this.#function(where, "errorDestroy")(struct(24, { 16: failure }));
    throw new PjrtError(where, status, said);
  }
}

const [NAMED_VALUE_BYTES, STRING, INT64, INT64_LIST] = [56, 0, 1, 2];

/** PJRT_NamedValue: its size @0, name @16 and length @24, type @32, value @40, count @48. */
function readAttributes(pjrt: Pjrt): Record<string, string | number | number[]> {
  const found: Record<string, string | number | number[]> = {};
  const args = pjrt.call("xla", "attributes", struct(32));
  let at = args[2]!;
  for (let i = 0; i < Number(args[3]); i++) {
    const value = pjrt.words(at, NAMED_VALUE_BYTES / 8);
    const name = pjrt.text(value[2]!, value[3]!);
    const [type, count] = [Number(value[4]! & 0xffffffffn), Number(value[6])];
    if (type === STRING) found[name] = pjrt.text(value[5]!, value[6]!);
    if (type === INT64) found[name] = Number(BigInt.asIntN(64, value[5]!));
    if (type === INT64_LIST) found[name] = [...pjrt.words(value[5]!, count)].map(Number);
    at += value[0] || BigInt(NAMED_VALUE_BYTES);
  }
  return found;
}

const loaded = new Map<string, Promise<Pjrt>>();

/**
 * Loads a plugin once per process. `before` are libraries that it looks for by name, loaded first as far as they can be.
 * Throws EngineError when koffi, the file or its version is unusable.
 */
export function loadPjrt(path: string, before: readonly string[] = []): Promise<Pjrt> {
  const known = loaded.get(path) ?? load(path, before);
  loaded.set(path, known);
  known.catch(() => loaded.delete(path));
  return known;
}

async function load(path: string, before: readonly string[]): Promise<Pjrt> {
  const koffi = await importKoffi("xla");
  if (!existsSync(path)) throw new EngineError(`xla: there is no plugin at ${path}`, "correct the option `library`");
  pinAll(koffi, before);
  pin(koffi, path);
  try {
    const api = koffi.load(path).func("GetPjrtApi", "void *", [])() as Pointer | null;
    if (api === null) throw new Error("GetPjrtApi gives nothing");
    return new Pjrt(koffi, path, api);
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    throw new EngineError(
      `xla: ${path} cannot be loaded as a PJRT plugin: ${wrongLibrary(path) ?? (cause as Error).message}`,
      `check that it is for ${process.platform}-${process.arch}, and that what it needs is installed`,
      { cause },
    );
  }
}

/** Loads libraries that need each other in an order that works: again and again while one more succeeds. */
function pinAll(koffi: Koffi, paths: readonly string[]): void {
  let waiting = paths;
  for (;;) {
    const failed = waiting.filter((path) => !pin(koffi, path, { global: true }));
    if (failed.length === 0 || failed.length === waiting.length) return;
    waiting = failed;
  }
}
