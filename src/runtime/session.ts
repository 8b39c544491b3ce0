/** What an engine offers: sessions made from ONNX bytes, buffers that live on its side, and runs between the two. */
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
  /** A copy on the host. Throws EngineError while an unfinished run writes the buffer. */
  read(): Promise<Tensor> | Tensor;
  /** Overwrites the content. Throws EngineError while an unfinished run uses the buffer; ShapeError, DTypeError. */
  write(t: Tensor): void;
  /** Frees the memory; while a run uses it, when that run ends. */
  dispose(): void;
}

export type Optimization = "none" | "basic" | "extended" | "all";

export interface SessionOptions {
  /** Appears in messages and in the profile. */
  name?: string;
  /** Threads of one operator. Default: `os.availableParallelism()`. */
  threads?: number;
  /** Above 1, independent operators run in parallel on so many threads. Default 1. */
  interOpThreads?: number;
  /** Whether idle threads spin or sleep: spin during a run only (default), between runs too (true), never (false). */
  spin?: boolean;
  /** Graph rewriting by the engine. Default "all". */
  optimization?: Optimization;
  /**
   * Who keeps the memory of activations for the next run: the session until its end (default), all "shared" sessions
   * of the process together until the process ends (the most that any of them needs, instead of the sum), or nobody.
   * The JavaScript engine takes "shared" as "session".
   */
  arena?: "session" | "shared" | "none";
  /**
   * Plan one block for all activations at the second run of a shape. Default false: the block comes on top of what the
   * first run left in the arena, so memory doubles, and runs are not faster.
   */
  memoryPattern?: boolean;
  /** File prefix of a profile; `endProfiling` gives the file. */
  profile?: string;
  /** ONNX Runtime session configuration entries, such as `session.disable_prepacking: "1"`. */
  config?: Readonly<Record<string, string>>;
  /** Contents of external-data files, by the location written in the model. They may be freed after creation. */
  externalData?: Readonly<Record<string, Uint8Array>>;
  /** Where the rewritten model is written, for inspection. */
  optimizedModelPath?: string;
  signal?: AbortSignal;
}

/** ONNX bytes, or the path of a file (needed above 2 GB, with external data beside it). */
export type Model = Uint8Array | { readonly path: string };

/** A fresh host tensor, a fresh engine buffer, or an existing tensor or buffer that is written in place. */
export type Want = "host" | "buffer" | Buffer | Tensor;

export interface RunOptions {
  /** Ends the run at the next operator; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface Session extends Disposable, AsyncDisposable {
  readonly name: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  /**
   * Runs once and resolves to the outputs of `want`, under their names. An output that is not wanted is still
   * computed, though not copied: for fewer outputs at less cost make a session of a smaller graph.
   *
   * Host feeds are read in place, so do not change them before the promise settles. A wanted Buffer may be the buffer
   * of a feed (in-place update) only where no operator reads that feed after the output is written: every reader of
   * the input must be an ancestor of the operator that writes the output, or that operator itself, elementwise over
   * equal shapes. The order of the nodes in the file is no help, the engine chooses its own. Reshape, Squeeze and
   * Identity share the memory of their input and Transpose may be fused into its readers, so the readers of their
   * outputs count as readers of the input. Where this does not hold, swap two buffers.
   *
   * Throws NameError, DTypeError, ShapeError before anything runs; EngineError when the engine fails or is disposed.
   */
  run(
    feeds: Readonly<Record<string, Tensor | Buffer>>,
    want: Readonly<Record<string, Want>>,
    options?: RunOptions,
  ): Promise<Record<string, Tensor | Buffer>>;
  /** Ends profiling and returns the path of the JSON file. Throws EngineError when the session has no profile. */
  endProfiling(): string;
  /** Frees the session; while a run uses it, when that run ends. */
  dispose(): void;
}

export interface Engine {
  readonly name: "ort-native" | "ort-js";
  readonly version: string;
  createSession(model: Model, options?: SessionOptions): Promise<Session>;
  /** A buffer with undefined content. */
  allocate(dtype: DType, shape: Shape): Buffer;
  /** A buffer with a copy of `t`. */
  upload(t: Tensor): Buffer;
}
