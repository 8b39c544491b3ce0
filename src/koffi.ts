/** Koffi, the package that calls C: loaded once, with stacks that engines can work on. */
import { EngineError } from "./errors.ts";

/** The module of koffi, which is loaded when first needed. */
export type Koffi = typeof import("koffi");

/** Koffi runs C on its own stacks: its defaults (128 KiB for asynchronous calls) are too small for an engine. */
const STACK_BYTES = 8 * 2 ** 20;

/** Throws EngineError where koffi does not load; `where` is the device that asks. */
export async function importKoffi(where: string): Promise<Koffi> {
  try {
    const koffi = await import("koffi");
    try {
      koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
    } catch (cause) {
      if ((koffi.config().async_stack_size ?? 0) < STACK_BYTES)
        throw new Error("another package loaded a library through koffi first, and its stacks are too small", {
          cause,
        });
    }
    return koffi;
  } catch (cause) {
    throw new EngineError(
      `${where}: koffi does not load here (${process.platform}-${process.arch}): ${(cause as Error).message}`,
      "npm install koffi",
      { cause },
    );
  }
}

const RTLD_NOW = 2;
const [RTLD_GLOBAL, RTLD_NODELETE] = process.platform === "darwin" ? [0x8, 0x80] : [0x100, 0x1000];

/**
 * Keeps a library in memory until the process ends: engines own threads and static objects that must outlive koffi's
 * handle. Best effort; Windows has no such flag and needs none. `global` lets later libraries find its symbols. Tells
 * whether it loaded.
 */
export function pin(koffi: Koffi, path: string, { global = false }: { global?: boolean } = {}): boolean {
  if (process.platform === "win32") return false;
  try {
    const flags = RTLD_NOW | RTLD_NODELETE | (global ? RTLD_GLOBAL : 0);
    return koffi.load(null).func("dlopen", "void *", ["str", "int"])(path, flags) !== null;
  } catch {
    return false; // a libc without a visible dlopen: the library then lives as long as koffi's handle
  }
}
