/** A model with weights on a device and the tokenizer it was trained with: what embedding, matching and the evaluators work on. */
import type { Model } from "../models/index.ts";
import type { CompileOptions, Device, State } from "../runtime/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import type { LoadedTask } from "./task.ts";

/** A model, its weights, its tokenizer, and the device it runs on. */
export interface LoadedModel {
  /** Folder or repository, for messages. */
  readonly name?: string | undefined;
  /** With as many words as the tokenizer has, or more. */
  readonly model: Model;
  /** Of which sizes the model is: its family's configuration; absent where the caller has not said it. */
  readonly sizes?: unknown;
  readonly device: Device;
  /** Parameters by checkpoint name: `compile(graph, device, { state })` reads them where they lie. */
  readonly state: State;
  /** Absent where none lies beside the weights: such a model reads no texts. */
  readonly tokenizer?: TextTokenizer | undefined;
  /** The head that it was fine-tuned with, where it was. */
  readonly task?: LoadedTask | undefined;
  /** Samples that go through the model at once; no result depends on it. */
  readonly batchSize: number;
  /** Of the tensors (fingerprint.ts); absent where they were not read from files. */
  readonly weightsHash?: string | undefined;
  /** How its graphs are compiled; in float32 unless said. */
  readonly arithmetic?: Pick<CompileOptions, "dtype" | "precision"> | undefined;
  readonly signal?: AbortSignal | undefined;
}
