/** State: named tensors that stay on a device between runs (parameters, optimizer moments), read and written by name. */
import { DTypeError, NameError, ShapeError, settled } from "../errors.ts";
import { dtypeHint, formatShape, nearest, sameShape, shapeHint, type Tensor } from "../tensor/index.ts";
import type { Device } from "./device.ts";
import type { Buffer } from "./session.ts";

/** Several executables may share one state; they take turns. */
export class State implements Disposable {
  readonly device: Device;
  readonly #buffers = new Map<string, Buffer>();
  readonly #spares = new Map<string, Buffer>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(device: Device) {
    this.device = device;
  }

  names(): string[] {
    return [...this.#buffers.keys()];
  }

  has(name: string): boolean {
    return this.#buffers.has(name);
  }

  /** Bytes held on the device. */
  get sizeBytes(): number {
    return [...this.#buffers.values(), ...this.#spares.values()].reduce((n, b) => n + b.sizeBytes, 0);
  }

  /** Creates or overwrites a tensor. A known name keeps its shape and dtype: anything else is a ShapeError or DTypeError. */
  write(name: string, t: Tensor): void {
    const known = this.#buffers.get(name);
    if (!known) {
      this.#buffers.set(name, this.device.upload(t));
      return;
    }
    if (known.dtype !== t.dtype)
      throw new DTypeError(`state "${name}": expected ${known.dtype}, got ${t.dtype}`, dtypeHint(known.dtype));
    if (!sameShape(known.shape, t.shape))
      throw new ShapeError(
        `state "${name}": expected ${formatShape(known.shape)}, got ${formatShape(t.shape)}`,
        shapeHint(known.shape, t.shape),
      );
    known.write(t);
  }

  writeAll(tensors: Readonly<Record<string, Tensor>>): void {
    for (const [name, t] of Object.entries(tensors)) this.write(name, t);
  }

  /** A copy on the host. Throws NameError. */
  async read(name: string): Promise<Tensor> {
    return this.buffer(name).read();
  }

  /** The device's own buffer. Throws NameError with the nearest names. */
  buffer(name: string): Buffer {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new NameError(`state: "${name}" does not exist`, nearest(name, this.names()));
    return buffer;
  }

  /** A second buffer for a tensor that cannot be overwritten in place. */
  spare(name: string): Buffer {
    const { dtype, shape } = this.buffer(name);
    const spare = this.#spares.get(name) ?? this.device.allocate(dtype, shape);
    this.#spares.set(name, spare);
    return spare;
  }

  /** Makes the spare the value, and the old value the spare. */
  swap(name: string): void {
    const [value, spare] = [this.buffer(name), this.spare(name)];
    this.#buffers.set(name, spare);
    this.#spares.set(name, value);
  }

  /** Runs `work` when every earlier turn has ended. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = settled(mine);
    return mine;
  }

  dispose(): void {
    for (const b of [...this.#buffers.values(), ...this.#spares.values()]) b.dispose();
    this.#buffers.clear();
    this.#spares.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
