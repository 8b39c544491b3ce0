/** What a model is opened from: its configuration, its tokenizer, and its tensors by name. */
import type { Tensor } from "../tensor/index.ts";

/** Tensors that are read one by one. */
export interface TensorFile {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, unknown>;
  read(name: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Tensor>;
  close(): Promise<void>;
}

/** The files of a model; what is not there is undefined. */
export interface ModelFiles {
  /** Folder or repository, for messages. */
  readonly name: string;
  /** config.json. */
  readonly config: unknown;
  /** tokenizer.json. */
  readonly tokenizer: unknown;
  /** tokenizer_config.json. */
  readonly tokenizerConfig: unknown;
  /** preprocessor_config.json. */
  readonly preprocessor: unknown;
  readonly weights: TensorFile;
  /** probe.safetensors. */
  readonly probe: TensorFile | undefined;
}

/** One line of a load's progress, as transformers.js reports it. */
export interface ProgressEvent {
  readonly status: "initiate" | "download" | "progress" | "done" | "ready";
  /** The repository or folder. */
  readonly name?: string;
  readonly file?: string;
  /** Bytes. */
  readonly loaded?: number;
  readonly total?: number;
  /** 0 to 100. */
  readonly progress?: number;
}

/** Where a model comes from, and what is reported on the way. */
export interface OpenOptions {
  /** A branch, tag or commit of a repository. Default "main". */
  readonly revision?: string | undefined;
  /** Where downloads are kept; the Hub's shared cache unless said. */
  readonly cacheDir?: string | undefined;
  /** Nothing is downloaded: what is not in the cache is an error. */
  readonly localFilesOnly?: boolean | undefined;
  readonly progressCallback?: ((event: ProgressEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
