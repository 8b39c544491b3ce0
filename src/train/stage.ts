/** What a stage of training is: parameters, step programs, batches and schedules, ready for the loop. */
import type { Program } from "../graph/index.ts";
import type { ParamSpec } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** One batch: which step program it is for, and its named tensors. */
export interface Batch {
  /** "image", "text", "pair", … : the key of the stage's program. */
  readonly kind: string;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Names of the samples, for the report of a failure. */
  readonly samples: readonly string[];
}

export type Metrics = Readonly<Record<string, number>>;

/** Something measured now and then during training, on held-out data. */
export interface Evaluator {
  readonly name: string;
  /** Yields metrics one by one; the first failure ends the run. */
  run(step: number, signal?: AbortSignal): AsyncIterable<readonly [metric: string, value: number]>;
}

export interface Stage {
  readonly name: string;
  readonly steps: number;
  /** Trained parameters, by checkpoint name. */
  readonly specs: readonly ParamSpec[];
  /** The first value of every state tensor: parameters, moments, averages, and frozen tensors that the step reads. */
  readonly initial: Readonly<Record<string, Tensor>>;
  /** State tensors that belong to the model file; everything else goes to the optimizer file. */
  readonly modelNames: readonly string[];
  /** One step program a batch kind. Every result is a scalar; "loss" is the one that is trained. */
  readonly programs: Readonly<Record<string, Program>>;
  /** Scalars that a step program reads besides its batch: learning rate, temperatures. A function of the step alone. */
  scalars(step: number): Readonly<Record<string, number>>;
  /** Batch `step`: a function of the seed and the step alone. */
  batch(step: number, signal?: AbortSignal): Promise<Batch>;
  /** What a guess would score, beside each loss: ln V, ln B, ln 2. */
  readonly chance: Metrics;
  readonly evaluators: readonly Evaluator[];
  dispose?(): Promise<void>;
}
