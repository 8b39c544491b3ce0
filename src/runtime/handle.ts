/** Lifetime of a native object: counted uses, a release that waits for them, and a finaliser for forgotten ones. */
import { EngineError } from "../errors.ts";

/** Owns one native object. `free` runs once, when it is disposed and no run uses it. */
export class Handle {
  readonly label: string;
  private readonly free: () => void;
  private uses = 0;
  private disposed = false;
  private released = false;

  constructor(label: string, free: () => void) {
    this.label = label;
    this.free = free;
  }

  /** Throws EngineError after `dispose`. */
  check(): void {
    if (this.disposed)
      throw new EngineError(
        `${this.label}: used after dispose`,
        "keep it until the last run that needs it has settled",
      );
  }

  enter(): void {
    this.check();
    this.uses++;
  }

  leave(): void {
    this.uses--;
    this.settle();
  }

  dispose(): void {
    this.disposed = true;
    this.settle();
  }

  private settle(): void {
    if (!this.disposed || this.released || this.uses > 0) return;
    this.released = true;
    this.free();
  }
}

const forgotten = new FinalizationRegistry<Handle>((handle) => handle.dispose());

/** Frees `handle` when its owner is collected without dispose. `handle` must not refer to `owner`. */
export const watch = (owner: object, handle: Handle): void => forgotten.register(owner, handle);
