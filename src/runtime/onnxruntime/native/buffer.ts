/** Tensors in ONNX Runtime's memory: made once, taken by every session of the process. */
import { ShapeError } from "../../../errors.ts";
import { allocate, byteSize, type DType, formatShape, type Shape, size, type Tensor } from "../../../tensor/index.ts";
import { BufferHandle } from "../../claims.ts";
import { watch } from "../../handle.ts";
import type { Buffer } from "../../session.ts";
import { elementType, type Ort, type Pointer } from "./ort.ts";

/** A buffer of an engine that is called in C. */
export interface OrtBuffer extends Buffer {
  readonly handle: BufferHandle;
  /** The `OrtValue` for a run whose turn has come. */
  ortValue(): Pointer | Promise<Pointer>;
}

/**
 * An `OrtValue` that owns its memory. It is copied to and from by memcpy: an ArrayBuffer over it would leave small
 * objects between the large blocks of the C heap, which then cannot be used again until the garbage collector comes.
 */
export class NativeBuffer implements OrtBuffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly ort: Ort;
  private readonly value: Pointer;
  readonly handle: BufferHandle;
  readonly address: Pointer;

  /** Takes over `value`. */
  constructor(ort: Ort, value: Pointer, dtype: DType, shape: Shape) {
    this.ort = ort;
    this.value = value;
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.sizeBytes = size(shape) * byteSize(dtype);
    this.handle = new BufferHandle(dtype, this.shape, () => ort.release("ReleaseValue", value));
    this.address = ort.get(this.handle.label, "GetTensorMutableData", value);
    watch(this, this.handle);
  }

  ortValue(): Pointer {
    return this.value;
  }

  read(): Tensor {
    this.handle.checkRead();
    const data = allocate(this.dtype, size(this.shape));
    if (this.sizeBytes > 0) this.ort.library.copy(data, this.address, this.sizeBytes);
    return { dtype: this.dtype, shape: [...this.shape], data };
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    if (this.sizeBytes > 0) this.ort.library.copy(this.address, t.data, this.sizeBytes);
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Allocates memory of ONNX Runtime's own (64-byte aligned); the content is undefined. */
export function allocateBuffer(ort: Ort, dtype: DType, shape: Shape): NativeBuffer {
  const where = `buffer of ${dtype} ${formatShape(shape)}`;
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new ShapeError(`${where}: expected lengths that are whole numbers`);
  const type = elementType(dtype);
  const value = ort.get(where, "CreateTensorAsOrtValue", ort.allocator, ort.lengths(shape), shape.length, type);
  return new NativeBuffer(ort, value, dtype, shape);
}
