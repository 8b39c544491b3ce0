/** Where the buffers of a native engine lie, and when it may be called. */
import type { DType, Shape, Tensor } from "../../../tensor/index.ts";
import type { Buffer } from "../../session.ts";
import type { Slot } from "./api.ts";
import { allocateBuffer, NativeBuffer, type OrtBuffer } from "./buffer.ts";
import type { Ort, Pointer } from "./ort.ts";

/** What sessions and engines ask of it. */
export interface NativeMemory {
  isOurs(buffer: Buffer): buffer is OrtBuffer;
  /** A buffer with undefined content. */
  allocate(dtype: DType, shape: Shape): OrtBuffer;
  /** A buffer with a copy of `t`. */
  upload(t: Tensor): OrtBuffer;
  /** What a run writes a wanted buffer to; without it, to memory that the engine takes. */
  fresh?(dtype: DType, shape: Shape): OrtBuffer;
  /** Runs `work` when the engine may be called. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Calls a release function when the engine may be called. */
  release(slot: Slot, pointer: Pointer): void;
}

/** On processors: memory of this process, and an engine that may be called at any time. */
export function processMemory(ort: Ort): NativeMemory {
  return {
    isOurs: (buffer): buffer is NativeBuffer => buffer instanceof NativeBuffer && buffer.ort === ort,
    allocate: (dtype, shape) => allocateBuffer(ort, dtype, shape),
    upload: (t) => {
      const buffer = allocateBuffer(ort, t.dtype, t.shape);
      try {
        buffer.write(t);
        return buffer;
      } catch (error) {
        buffer.dispose();
        throw error;
      }
    },
    inTurn: (work) => work(),
    release: (slot, pointer) => ort.release(slot, pointer),
  };
}
