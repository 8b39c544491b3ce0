/** The kernel and its memory, one of each a thread. */
import { EngineError } from "../../errors.ts";
import { KERNEL } from "./kernel.ts";
import { encodeModule } from "./module.ts";

export interface Kernel {
  readonly memory: WebAssembly.Memory;
  columns(source: number, stride: number, out: number, outStride: number, tape: number, outputs: number): void;
  rows(
    source: number,
    stride: number,
    out: number,
    outStride: number,
    tape: number,
    outputs: number,
    blocks: number,
  ): void;
  planes(pixels: number): void;
}

const PAGE = 2 ** 16;
/** A thread keeps the memory that its largest picture needed. What would need more is left to plain TypeScript. */
export const MAX_BYTES: number = 64 * 2 ** 20;

let kernel: Kernel | false | undefined;
let bytes: Uint8Array<ArrayBuffer> | undefined;

/** The thread's kernel, compiled when first asked for, or false where WebAssembly SIMD is missing or forbidden. */
export function openKernel(): Kernel | false {
  kernel ??= compile();
  return kernel;
}

/** Browsers compile modules below 4 KB at once on any thread; a page's security policy can forbid it. */
function compile(): Kernel | false {
  try {
    const module = new WebAssembly.Module(encodeModule(KERNEL, MAX_BYTES / PAGE));
    return new WebAssembly.Instance(module).exports as unknown as Kernel;
  } catch {
    return false;
  }
}

/** The kernel's memory, with room for at least `needed` bytes. Throws EngineError when the system gives none. */
export function reserve({ memory }: Kernel, needed: number): Uint8Array<ArrayBuffer> {
  const missing = needed - memory.buffer.byteLength;
  if (bytes && missing <= 0) return bytes;
  try {
    memory.grow(Math.ceil(missing / PAGE));
  } catch (cause) {
    throw new EngineError(
      `image kernel: expected ${needed} bytes of memory for WebAssembly, got ${memory.buffer.byteLength}`,
      "use fewer data threads or smaller pictures",
      { cause },
    );
  }
  bytes = new Uint8Array(memory.buffer);
  return bytes;
}
