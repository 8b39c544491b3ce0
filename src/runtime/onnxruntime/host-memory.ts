/** Buffers that are host arrays: a run copies them in, and replaces their array by the engine's output. */
import type { Tensor as OrtTensor } from "onnxruntime-common";
import { allocate, type DataOf, type DType, type Shape, size, type Tensor } from "../../tensor/index.ts";
import { checkData } from "../check.ts";
import { BufferHandle } from "../claims.ts";
import { bitsOf, type HeldBuffer, type Memory, type Ort, toOrt } from "./js-session.ts";

class HostBuffer implements HeldBuffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly handle: BufferHandle;
  readonly owner: Ort;
  array: DataOf[DType];

  /** Takes over `t`. */
  constructor(owner: Ort, t: Tensor) {
    this.owner = owner;
    this.dtype = t.dtype;
    this.shape = Object.freeze([...t.shape]);
    this.array = t.data;
    this.sizeBytes = t.data.byteLength;
    this.handle = new BufferHandle(t.dtype, this.shape, () => {
      this.array = allocate(t.dtype, 0);
    });
  }

  read(): Tensor {
    this.handle.checkRead();
    return { dtype: this.dtype, shape: [...this.shape], data: this.array.slice() };
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    this.array = t.data.slice();
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** For either package. */
export const hostMemory = (ort: Ort): Memory<HostBuffer> => ({
  isOurs: (buffer): buffer is HostBuffer => buffer instanceof HostBuffer && buffer.owner === ort,
  allocate: (dtype, shape) => new HostBuffer(ort, { dtype, shape, data: allocate(dtype, size(shape)) }),
  upload: (t) => {
    checkData("upload", t);
    return new HostBuffer(ort, { ...t, data: t.data.slice() });
  },
  feed: ({ dtype, shape, array }) => toOrt(ort, { dtype, shape, data: array } as Tensor),
  target: () => null,
  take: (buffer: HostBuffer, result: OrtTensor) => {
    buffer.array = bitsOf(buffer.dtype, result.data as DataOf[DType]);
  },
});
