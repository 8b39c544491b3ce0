/** Tensors in ONNX Runtime's memory: made once, taken by every session of the process. */
import { ShapeError } from "../../errors.ts";
import { byteSize, type DType, formatShape, type Shape, size, type Tensor, viewAs } from "../../tensor/index.ts";
import { BufferHandle } from "../claims.ts";
import { watch } from "../handle.ts";
import type { Buffer } from "../session.ts";
import { elementType, type Ort, type Pointer } from "./ort.ts";

/** An `OrtValue` that owns its memory. */
export class NativeBuffer implements Buffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly ort: Ort;
  readonly value: Pointer;
  readonly handle: BufferHandle;
  private memory: Uint8Array | undefined;

  /** Takes over `value`. */
  constructor(ort: Ort, value: Pointer, dtype: DType, shape: Shape) {
    this.ort = ort;
    this.value = value;
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.sizeBytes = size(shape) * byteSize(dtype);
    this.handle = new BufferHandle(dtype, this.shape, () => ort.release("ReleaseValue", value));
    watch(this, this.handle);
  }

  read(): Tensor {
    this.handle.checkRead();
    return { dtype: this.dtype, shape: [...this.shape], data: viewAs(this.dtype, this.bytes().slice()) };
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    this.bytes().set(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength));
  }

  dispose(): void {
    this.memory = undefined;
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private bytes(): Uint8Array {
    if (this.sizeBytes === 0) return new Uint8Array(0);
    this.memory ??= new Uint8Array(
      this.ort.library.view(this.ort.get(this.handle.label, "GetTensorMutableData", this.value), this.sizeBytes),
    );
    return this.memory;
  }
}

/** Allocates memory of ONNX Runtime's own (64-byte aligned); the content is undefined. */
export function allocateBuffer(ort: Ort, dtype: DType, shape: Shape): NativeBuffer {
  const where = `buffer of ${dtype} ${formatShape(shape)}`;
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new ShapeError(`${where}: expected lengths that are whole numbers`);
  const dims = BigInt64Array.from(shape, BigInt);
  const type = elementType(dtype);
  const value = ort.get(where, "CreateTensorAsOrtValue", ort.allocator, dims, shape.length, type);
  return new NativeBuffer(ort, value, dtype, shape);
}
