/** A file of named tensors, whatever its format. */
import type { DType, Tensor } from "../tensor/index.ts";
import type { StoredDType } from "./stored.ts";

/** The formats that are read. */
export type WeightsFormat = "safetensors" | "torch";

/** One tensor of a file. */
export interface StoredTensor {
  readonly name: string;
  /** The dtype that reading gives. */
  readonly dtype: DType;
  readonly storedAs: StoredDType;
  readonly shape: readonly number[];
}

/** Something in a file that is no tensor of the model. */
export interface OtherEntry {
  /** Its key: "optimizer". */
  readonly name: string;
  /** What it is: "a dict with 412 tensors", "an int". */
  readonly what: string;
}

/** Options of one read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** An open file, or several that belong together. Close it, or bind it with `await using`. */
export interface TensorFile extends AsyncDisposable {
  /** Path or URL, for messages. */
  readonly name: string;
  readonly format: WeightsFormat;
  /** Files that it consists of; 1 but for sharded weights. */
  readonly parts: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** What was left aside when the file was opened. */
  readonly others: readonly OtherEntry[];
  /** One tensor: row-major, BF16 and F16 as float32. Throws CheckpointError if there is none of that name. */
  read(name: string, options?: ReadOptions): Promise<Tensor>;
  close(): Promise<void>;
}
