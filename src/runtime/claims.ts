/** Who uses a buffer: many runs may read it at once, one may write it, and the host waits for both. */
import { DTypeError, EngineError, ShapeError } from "../errors.ts";
import { type DType, formatShape, type Shape, sameShape, type Tensor } from "../tensor/index.ts";
import { checkData, isTensor } from "./check.ts";
import { Handle } from "./handle.ts";
import type { Buffer, SessionFeeds, Want } from "./session.ts";

/** How a run uses a buffer. */
export type Mode = "read" | "write";

/** The lifetime of a buffer and its readers and writers. */
export class BufferHandle extends Handle {
  private readonly dtype: DType;
  private readonly shape: Shape;
  private readers = 0;
  private writers = 0;

  constructor(dtype: DType, shape: Shape, free: () => void) {
    super(`buffer of ${dtype} ${formatShape(shape)}`, free);
    this.dtype = dtype;
    this.shape = shape;
  }

  /** Marks a use by a run; `release` undoes it. Throws EngineError when another run is in the way. */
  claim(mode: Mode, where: string): void {
    if (this.writers > 0 || (mode === "write" && this.readers > 0))
      throw new EngineError(
        `${where}: ${this.label} is still used by another run`,
        "await that run first, or give each run its own buffers",
      );
    this.enter();
    if (mode === "read") this.readers++;
    else this.writers++;
  }

  release(mode: Mode): void {
    if (mode === "read") this.readers--;
    else this.writers--;
    this.leave();
  }

  /** Throws unless the host may read the content now. */
  checkRead(): void {
    this.check();
    if (this.writers > 0) throw new EngineError(`${this.label}: read while an unfinished run writes it`, AWAIT);
  }

  /** Throws unless the host may overwrite the content with `t` now. */
  checkWrite(t: Tensor): void {
    this.check();
    if (t.dtype !== this.dtype) throw new DTypeError(`write to ${this.label}: got ${t.dtype}`);
    if (!sameShape(t.shape, this.shape))
      throw new ShapeError(`write to ${this.label}: got shape ${formatShape(t.shape)}`);
    checkData(`write to ${this.label}`, t);
    if (this.readers + this.writers > 0)
      throw new EngineError(`${this.label}: written while an unfinished run uses it`, AWAIT);
  }
}

const AWAIT = "await that run first";

/**
 * Claims every buffer of a run once, for writing when it is an output (it may be a feed too), else for reading.
 * Returns what gives them back. Throws EngineError when a buffer is not one of `isOurs`, disposed, or in use.
 */
export function claimBuffers<B extends Buffer & { readonly handle: BufferHandle }>(
  where: string,
  isOurs: (buffer: Buffer) => buffer is B,
  feeds: SessionFeeds,
  want: Readonly<Record<string, Want>>,
): () => void {
  const modes = new Map<B, Mode>();
  const add = (value: Tensor | Want, mode: Mode): void => {
    if (typeof value === "string" || isTensor(value)) return;
    if (!isOurs(value))
      throw new EngineError(`${where}: got a buffer of another engine`, "upload its tensor to this one");
    modes.set(value, mode);
  };
  for (const value of Object.values(feeds)) add(value, "read");
  for (const value of Object.values(want)) add(value, "write");
  const claimed: [B, Mode][] = [];
  const giveBack = (): void => {
    for (const [buffer, mode] of claimed.splice(0)) buffer.handle.release(mode);
  };
  try {
    for (const [buffer, mode] of modes) {
      buffer.handle.claim(mode, where);
      claimed.push([buffer, mode]);
    }
    return giveBack;
  } catch (error) {
    giveBack();
    throw error;
  }
}
