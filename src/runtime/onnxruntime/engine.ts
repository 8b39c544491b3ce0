/** What the two ways into ONNX Runtime have in common: sessions made from ONNX bytes, with the options of that engine. */
import type { DType, Shape, Tensor } from "../../tensor/index.ts";
import type { Buffer, Session } from "../session.ts";

export type Optimization = "none" | "basic" | "extended" | "all";

export interface OrtSessionOptions {
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

export interface Engine {
  readonly name: "ort-native" | "ort-js" | "ort-wasm" | "ort-webgpu";
  readonly version: string;
  /**
   * A session of the model. A wanted Buffer of a run may be the buffer of a feed only where no operator reads that feed
   * after the output is written: every reader of the input must be an ancestor of the operator that writes the output, or
   * that operator itself, elementwise over equal shapes. The order of the nodes in the file is no help, the engine chooses
   * its own. Reshape, Squeeze and Identity share the memory of their input and Transpose may be fused into its readers, so
   * the readers of their outputs count as readers of the input (`in-place.ts` decides it on a graph).
   */
  createSession(model: Model, options?: OrtSessionOptions): Promise<Session>;
  /** A buffer with undefined content. */
  allocate(dtype: DType, shape: Shape): Buffer;
  /** A buffer with a copy of `t`. */
  upload(t: Tensor): Buffer;
}
