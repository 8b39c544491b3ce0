/** Tensors in a GPU's memory. */
import { ShapeError } from "../../../errors.ts";
import { byteSize, type DType, formatShape, type Shape, size, type Tensor, viewAs } from "../../../tensor/index.ts";
import { checkData } from "../../check.ts";
import { BufferHandle } from "../../claims.ts";
import { watch } from "../../handle.ts";
import { NativeBuffer, type OrtBuffer } from "../native/buffer.ts";
import { type NativeMemory, processMemory } from "../native/memory.ts";
import type { Pointer } from "../native/ort.ts";
import type { Gpu } from "./gpu.ts";

/** What shaders read and write as it is; the rest stays in memory of the process, and runs copy it. */
const ON_GPU: ReadonlySet<DType> = new Set<DType>(["float32", "int32"]);

/** Takes its memory, and what was written to it, to the GPU when a run first asks for it: writing waits for no run of others. */
class GpuBuffer implements OrtBuffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly gpu: Gpu;
  readonly handle: BufferHandle;
  private readonly memory: { value?: Pointer };
  private written: Int32Array | undefined;

  constructor(gpu: Gpu, dtype: DType, shape: Shape) {
    this.gpu = gpu;
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.sizeBytes = size(shape) * byteSize(dtype);
    const memory: { value?: Pointer } = {};
    this.memory = memory;
    this.handle = new BufferHandle(dtype, this.shape, () => {
      if (memory.value !== undefined) gpu.release("ReleaseValue", memory.value);
    });
    watch(this, this.handle);
  }

  async ortValue(): Promise<Pointer> {
    this.memory.value ??= this.gpu.allocate(this.dtype, this.shape);
    if (this.written) await this.gpu.upload(this.memory.value, this.written);
    this.written = undefined; // kept until then: what could not be uploaded is not lost
    return this.memory.value;
  }

  read(): Promise<Tensor> {
    this.handle.checkRead();
    return this.copy();
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    const { buffer, byteOffset, byteLength } = t.data;
    this.written = new Int32Array(new Uint8Array(buffer, byteOffset, byteLength).slice().buffer);
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async copy(): Promise<Tensor> {
    const words = this.written?.slice() ?? new Int32Array(this.sizeBytes / Int32Array.BYTES_PER_ELEMENT);
    if (!this.written) await this.download(words);
    const data = viewAs(this.dtype, new Uint8Array(words.buffer));
    return { dtype: this.dtype, shape: [...this.shape], data } as Tensor;
  }

  private async download(words: Int32Array): Promise<void> {
    this.handle.claim("read", "read");
    try {
      await this.gpu.inTurn(async () => this.gpu.download(await this.ortValue(), words));
    } finally {
      this.handle.release("read");
    }
  }
}

/** Buffers of a GPU; small print in `ON_GPU`. */
export function gpuMemory(gpu: Gpu): NativeMemory {
  const host = processMemory(gpu.ort);
  const allocate = (dtype: DType, shape: Shape): OrtBuffer => {
    const whole = shape.every((length) => Number.isSafeInteger(length) && length >= 0);
    if (!whole)
      throw new ShapeError(`buffer of ${dtype} ${formatShape(shape)}: expected lengths that are whole numbers`);
    return ON_GPU.has(dtype) && size(shape) > 0 ? new GpuBuffer(gpu, dtype, shape) : host.allocate(dtype, shape);
  };
  return {
    isOurs: (buffer): buffer is OrtBuffer =>
      buffer instanceof GpuBuffer ? buffer.gpu === gpu : buffer instanceof NativeBuffer && host.isOurs(buffer),
    allocate,
    fresh: allocate,
    upload: (t) => {
      checkData("upload", t);
      const buffer = allocate(t.dtype, t.shape);
      buffer.write(t);
      return buffer;
    },
    inTurn: (work) => gpu.inTurn(work),
    release: (slot, pointer) => gpu.release(slot, pointer),
  };
}
