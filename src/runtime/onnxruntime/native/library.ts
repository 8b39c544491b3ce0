/** Finds and loads the ONNX Runtime library that the npm package onnxruntime-node carries, through koffi. */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EngineError } from "../../../errors.ts";
import { API_VERSION, type Functions, SLOT_COUNT, SLOTS, type Slot } from "./api.ts";

type Koffi = typeof import("koffi");

/** A loaded library: its version, its functions, and what reads native memory. */
export interface Library {
  readonly version: string;
  readonly fn: Functions;
  /** C's memcpy, between addresses and arrays. */
  copy(to: bigint | ArrayBufferView, from: bigint | ArrayBufferView, sizeBytes: number): void;
  /** The stable address of an array's memory. */
  address(array: ArrayBufferView): bigint;
  string(pointer: bigint): string;
}

const FILES: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/,
};

const OTHER = 'or use the device "cpu-js", or install onnxruntime-node for this platform';

/** The path of the library for this platform. Throws EngineError that lists where it was looked for. */
export function findLibrary(platform: string = process.platform, arch: string = process.arch): string {
  let root: string;
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve("onnxruntime-node")));
  } catch (cause) {
    throw new EngineError(
      "ort-native: the package onnxruntime-node is not installed",
      "npm install onnxruntime-node (ONNXRUNTIME_NODE_INSTALL=skip leaves out its CUDA download)",
      { cause },
    );
  }
  const bin = join(root, "bin");
  const folders = existsSync(bin) ? readdirSync(bin).map((abi) => join(bin, abi, platform, arch)) : [bin];
  for (const folder of folders) {
    if (!existsSync(folder)) continue;
    const file = readdirSync(folder).find((name) => FILES[platform]?.test(name));
    if (file) return join(folder, file);
  }
  throw new EngineError(
    `ort-native: onnxruntime-node has no library for ${platform}-${arch}; looked in ${folders.join(", ")}`,
    `pass the path of an ONNX Runtime library as \`library\`, ${OTHER}`,
  );
}

/** Koffi runs C on its own stacks: its defaults (128 KiB for asynchronous calls) are too small for an engine. */
const STACK_BYTES = 8 * 2 ** 20;

async function importKoffi(): Promise<Koffi> {
  try {
    const koffi = await import("koffi");
    try {
      koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
    } catch (cause) {
      if (koffi.config().async_stack_size !== STACK_BYTES)
        throw new Error("another package loaded a library through koffi first, and its stacks are too small", {
          cause,
        });
    }
    return koffi;
  } catch (cause) {
    throw new EngineError(
      `ort-native: koffi does not load here (${process.platform}-${process.arch}): ${(cause as Error).message}`,
      `npm install koffi (with optional dependencies), ${OTHER}`,
      { cause },
    );
  }
}

/**
 * Keeps a library in memory until the process ends: engines own threads and static objects that must outlive koffi's
 * handle. Best effort; Windows has no such flag and needs none.
 */
function pin(koffi: Koffi, path: string): void {
  if (process.platform === "win32") return;
  const RTLD_NOW = 2;
  const RTLD_NODELETE = process.platform === "darwin" ? 0x80 : 0x1000;
  try {
    koffi.load(null).func("dlopen", "void *", ["str", "int"])(path, RTLD_NOW | RTLD_NODELETE);
  } catch {
    // A libc without a visible dlopen: the library then lives as long as koffi's handle.
  }
}

const loaded = new Map<string, Promise<Library>>();

/** Loads a library once per process and file. Throws EngineError when koffi, the file or its version is unusable. */
export async function loadLibrary(given?: string): Promise<Library> {
  const found = given ?? findLibrary();
  if (!existsSync(found))
    throw new EngineError(`ort-native: there is no library at ${found}`, `correct the option \`library\`, ${OTHER}`);
  const path = realpathSync(found);
  let library = loaded.get(path);
  if (!library) {
    library = load(path);
    loaded.set(path, library);
    library.catch(() => loaded.delete(path));
  }
  return library;
}

async function load(path: string): Promise<Library> {
  const koffi = await importKoffi();
  pin(koffi, path);
  try {
    return bind(koffi, path);
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    throw new EngineError(
      `ort-native: ${path} cannot be loaded as ONNX Runtime: ${(cause as Error).message}`,
      `check that it is for ${process.platform}-${process.arch}, ${OTHER}`,
      { cause },
    );
  }
}

function bind(koffi: Koffi, path: string): Library {
  const base = koffi.load(path).func("OrtGetApiBase", "void *", [])() as bigint;
  const [getApi, getVersion] = new BigUint64Array(koffi.view(base, 16));
  const version = koffi.decode(getVersion, koffi.proto("str", []))() as string;
  const api = koffi.decode(getApi, koffi.proto("void *", ["uint32_t"]))(API_VERSION) as bigint | null;
  if (api === null)
    throw new EngineError(
      `ort-native: ${path}: expected ONNX Runtime 1.${API_VERSION} or later, got ${version}`,
      "npm install onnxruntime-node@latest",
    );
  const table = new BigUint64Array(koffi.view(api, SLOT_COUNT * 8));
  const names = Object.keys(SLOTS) as Slot[];
  const fn = Object.fromEntries(
    names.map((name) => {
      const [slot, args, result = "void *"] = SLOTS[name];
      return [name, koffi.decode(table[slot], koffi.proto(result, [...args]))];
    }),
  ) as Functions;
  return {
    version,
    fn,
    copy: koffi
      .load(process.platform === "win32" ? "ucrtbase.dll" : null)
      .func("memcpy", "void *", ["void *", "void *", "size_t"]),
    address: (array) => koffi.address(array),
    string: (pointer) => koffi.decode.string(pointer),
  };
}
