/** Buffers on a GPU that JavaScript can reach (WebGPU): runs read and write them where they lie. */
import type { Tensor as OrtTensor } from "onnxruntime-common";
import { EngineError } from "../../../errors.ts";
import { byteSize, type DType, formatShape, type Shape, size, type Tensor, viewAs } from "../../../tensor/index.ts";
import { checkData } from "../../check.ts";
import { BufferHandle } from "../../claims.ts";
import type { HeldBuffer, Memory, Ort } from "../js-session.ts";

// TypeScript's library has the types of WebGPU and not its constants.
const [MAP_READ, COPY_SRC, COPY_DST, STORAGE] = [0x0001, 0x0004, 0x0008, 0x0080] as const;

/** Copies between buffers are of whole words. */
const padded = (bytes: number): number => Math.max(16, Math.ceil(bytes / 4) * 4);

class GpuBuffer implements HeldBuffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly handle: BufferHandle;
  readonly tensor: OrtTensor;
  private readonly device: GPUDevice;
  private readonly memory: GPUBuffer;

  constructor(ort: Ort, device: GPUDevice, dtype: DType, shape: Shape) {
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.sizeBytes = byteSize(dtype) * size(shape);
    this.device = device;
    if (this.sizeBytes > device.limits.maxBufferSize)
      throw new EngineError(
        `buffer of ${dtype} ${formatShape(shape)}: expected at most ${device.limits.maxBufferSize} bytes on this GPU, got ${this.sizeBytes}`,
      );
    const usage = STORAGE | COPY_SRC | COPY_DST;
    this.memory = device.createBuffer({ size: padded(this.sizeBytes), usage });
    this.tensor = ort.Tensor.fromGpuBuffer(this.memory, { dataType: dtype as "float32", dims: this.shape });
    this.handle = new BufferHandle(dtype, this.shape, () => this.memory.destroy());
  }

  async read(): Promise<Tensor> {
    this.handle.checkRead();
    const bytes = padded(this.sizeBytes);
    const staging = this.device.createBuffer({ size: bytes, usage: COPY_DST | MAP_READ });
    this.handle.claim("read", "read");
    try {
      const commands = this.device.createCommandEncoder();
      commands.copyBufferToBuffer(this.memory, 0, staging, 0, bytes);
      this.device.queue.submit([commands.finish()]);
      await staging.mapAsync(MAP_READ);
      const copy = staging.getMappedRange().slice(0, this.sizeBytes);
      return { dtype: this.dtype, shape: [...this.shape], data: viewAs(this.dtype, new Uint8Array(copy)) } as Tensor;
    } finally {
      this.handle.release("read");
      staging.destroy();
    }
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    const { buffer, byteOffset, byteLength } = t.data;
    const whole = byteLength % 4 === 0;
    const bytes = new Uint8Array(whole ? byteLength : padded(byteLength));
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength));
    this.device.queue.writeBuffer(this.memory, 0, bytes);
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** On one GPU. Throws EngineError for what its buffers cannot hold. */
export const gpuMemory = (ort: Ort, device: GPUDevice): Memory<GpuBuffer> => {
  const allocate = (dtype: DType, shape: Shape): GpuBuffer => new GpuBuffer(ort, device, dtype, shape);
  return {
    isOurs: (buffer): buffer is GpuBuffer => buffer instanceof GpuBuffer,
    allocate,
    upload: (t) => {
      checkData("upload", t);
      const buffer = allocate(t.dtype, t.shape);
      buffer.write(t);
      return buffer;
    },
    feed: ({ tensor }) => tensor,
    target: ({ tensor }) => tensor,
    take: () => undefined, // the engine has written where it was told to
  };
};
