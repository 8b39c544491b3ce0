/** Loads the ONNX Runtime library through koffi. */
import { existsSync, realpathSync } from "node:fs";
import { EngineError } from "../../../errors.ts";
import { importKoffi, type Koffi, pin } from "../../../koffi.ts";
import { wrongLibrary } from "../../wrong-library.ts";
import { API_VERSION, type Functions, SLOT_COUNT, SLOTS, type Slot } from "./api.ts";
import { findLibrary } from "./find-library.ts";

/** A loaded library: its version, its functions, and what reads native memory. */
export interface Library {
  readonly version: string;
  readonly fn: Functions;
  /** C's memcpy, between addresses and arrays. */
  copy(to: bigint | ArrayBufferView, from: bigint | ArrayBufferView, sizeBytes: number): void;
  /** The stable address of an array's memory. */
  address(array: ArrayBufferView): bigint;
  string(pointer: bigint): string;
  /** A copy of an array of pointers. */
  pointers(address: bigint, count: number): bigint[];
  /** A C function for the engine's log, which calls `listen` with each message for as long as the process lives. */
  logger(listen: (message: string) => void): bigint;
}

/** Whether the C library of this process is not glibc: Alpine's, for one. */
function isMusl(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return process.platform === "linux" && report.header?.glibcVersionRuntime === undefined;
}

const loaded = new Map<string, Promise<Library>>();

/** Loads a library once per process and file. Throws EngineError when koffi, the file or its version is unusable. */
export async function loadLibrary(given?: string): Promise<Library> {
  const found = given ?? findLibrary();
  if (!existsSync(found))
    throw new EngineError(`cpu: there is no library at ${found}`, "correct the option `library`, or leave it out");
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
  const koffi = await importKoffi("cpu");
  pin(koffi, path);
  try {
    return bind(koffi, path);
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    throw new EngineError(
      `cpu: ${path} cannot be loaded as ONNX Runtime: ${wrongLibrary(path) ?? (cause as Error).message}`,
      isMusl()
        ? "it needs glibc, and this system has musl: use an image of Debian or Ubuntu"
        : `check that it is for ${process.platform}-${process.arch}`,
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
      `cpu: ${path}: expected ONNX Runtime 1.${API_VERSION} or later, got ${version}`,
      "correct the option `library`, or leave it out",
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
    logger: (listen) => {
      const type = koffi.pointer(koffi.proto("void", ["void *", "int", "str", "str", "str", "str"]));
      return koffi.register((_: unknown, __: number, ___: string, ____: string, _____: string, message: string) => {
        listen(message);
      }, type) as bigint;
    },
    pointers: (address, count) => (count > 0 ? [...new BigUint64Array(koffi.view(address, 8 * count))] : []),
  };
}
