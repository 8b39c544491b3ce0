/** Tensors on a device of XLA: a name for memory that each run may replace. */
import { EngineError, ShapeError } from "../../errors.ts";
import { allocate, byteSize, type DType, formatShape, type Shape, size, type Tensor } from "../../tensor/index.ts";
import { BufferHandle } from "../claims.ts";
import { watch } from "../handle.ts";
import type { Buffer } from "../session.ts";
import type { Client } from "./client.ts";
import type { Pointer } from "./pjrt.ts";

/** What a buffer stands for now; apart from it, so that a forgotten buffer can be freed. */
interface Content {
  pointer: Pointer | undefined;
  /** Why there is none. */
  missing: string;
}

/**
 * XLA never writes into a buffer: a run makes new ones, in the memory of those that were donated to it. So a run that
 * "writes" this buffer gives it another pointer, and no second buffer is needed beside it.
 */
export class XlaBuffer implements Buffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly client: Client;
  readonly handle: BufferHandle;
  readonly #content: Content;

  constructor(client: Client, dtype: DType, shape: Shape, pointer?: Pointer) {
    if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
      throw new ShapeError(`buffer of ${dtype} ${formatShape(shape)}: expected lengths that are whole numbers`);
    this.client = client;
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.sizeBytes = size(shape) * byteSize(dtype);
    const content: Content = { pointer, missing: "nothing has been written to it" };
    this.#content = content;
    this.handle = new BufferHandle(dtype, this.shape, () => {
      if (content.pointer) client.free(content.pointer);
    });
    watch(this, this.handle);
  }

  /** Throws EngineError when nothing was written yet, or when a failed run took the content with it. */
  get pointer(): Pointer {
    this.handle.check();
    const { pointer, missing } = this.#content;
    if (pointer === undefined)
      throw new EngineError(
        `${this.handle.label}: has no content: ${missing}`,
        "write it, or load the last checkpoint",
      );
    return pointer;
  }

  /** Takes over another pointer; the old one goes, donated or not. */
  replace(pointer: Pointer): void {
    if (this.#content.pointer) this.client.free(this.#content.pointer);
    this.#content.pointer = pointer;
  }

  /** After a run that failed: lets go of memory that was donated to it. */
  forgetIfDonated(where: string): void {
    const { pointer } = this.#content;
    if (!pointer || !this.client.isDeleted(pointer)) return;
    this.client.free(pointer);
    this.#content.pointer = undefined;
    this.#content.missing = `it was donated to a run of ${where}, which failed`;
  }

  async read(): Promise<Tensor> {
    this.handle.checkRead();
    const t = { dtype: this.dtype, shape: [...this.shape], data: allocate(this.dtype, size(this.shape)) };
    const { pointer } = this;
    this.handle.claim("read", "read");
    try {
      await this.client.download(this.handle.label, pointer, t);
      return t;
    } finally {
      this.handle.release("read");
    }
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    this.replace(this.client.upload(this.handle.label, t));
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
