/** What every engine offers: sessions, buffers that live on its side, and runs between the two. */
import type { DType, Shape, Tensor } from "../tensor/index.ts";

/** One graph input or output. */
export interface PortInfo {
  readonly name: string;
  readonly dtype: DType;
  /** A string is an axis whose length each run decides; equal names mean equal lengths, "?" is an axis without a name. */
  readonly shape: readonly (number | string)[];
}

/** A tensor that lives on the engine's side. It survives runs and sessions, and any session of its engine takes it. */
export interface Buffer extends Disposable {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  /** Where the content lies, of engines that work in the memory of this process. While no run uses the buffer, it may be read and written there. */
  readonly address?: bigint | undefined;
  /** A copy on the host. Throws EngineError while an unfinished run writes the buffer. */
  read(): Promise<Tensor> | Tensor;
  /** Overwrites the content. Throws EngineError while an unfinished run uses the buffer; ShapeError, DTypeError. */
  write(t: Tensor): void;
  /** Frees the memory; while a run uses it, when that run ends. */
  dispose(): void;
}

/** What a session is for, and what to note of it; a device turns it into options of its engine. */
export interface SessionOptions {
  /**
   * "training": one of the step programs of a run, which take turns while the next batch is made on the same processors.
   * "inference" (default): one graph, again and again.
   */
  purpose?: "training" | "inference";
  /** File prefix of a profile; `endProfiling` gives the file. Throws EngineError where the engine records none. */
  profile?: string;
  /** Stops the making of the session. */
  signal?: AbortSignal;
}

/** A fresh host tensor, a fresh engine buffer, or an existing tensor or buffer that is written in place. */
export type Want = "host" | "buffer" | Buffer | Tensor;

/** What a run reads, by input name: host tensors, or buffers of the engine. */
export type SessionFeeds = Readonly<Record<string, Tensor | Buffer>>;

/** How a single run is stopped. */
export interface RunOptions {
  /** Ends the run at the next operator; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A graph made ready by an engine. */
export interface Session extends Disposable, AsyncDisposable {
  readonly name: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  /**
   * Runs once and resolves to the outputs of `want`, under their names. An output that is not wanted is still
   * computed, though not copied: for fewer outputs at less cost make a session of a smaller graph.
   *
   * Host feeds are read in place, so do not change them before the promise settles. A wanted Buffer may be the buffer of
   * a feed (in-place update) only where the device has said so (`Prepared.inPlace`); elsewhere swap two buffers.
   *
   * Throws NameError, DTypeError, ShapeError before anything runs; EngineError when the engine fails or is disposed.
   */
  run(
    feeds: SessionFeeds,
    want: Readonly<Record<string, Want>>,
    options?: RunOptions,
  ): Promise<Record<string, Tensor | Buffer>>;
  /** Ends profiling and returns the path of the JSON file. Throws EngineError when the session has no profile. */
  endProfiling(): string;
  /** Frees the session; while a run uses it, when that run ends. */
  dispose(): void;
}
