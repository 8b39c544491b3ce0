/** What is trained: an objective for each kind of batch, and what its steps need besides AdamW. */
import type { Value } from "../graph/index.ts";
import type { Params } from "../nn/index.ts";
import type { Feeds } from "../tensor/index.ts";

/** Numbers by name. */
export type Metrics = Readonly<Record<string, number>>;

/** One batch: which objective it is for, and its named tensors. */
export interface Batch {
  /** "image", "text", "pair", … : the key of the plan's objective. */
  readonly kind: string;
  readonly feeds: Feeds;
  /** Names of the samples, for the report of a failure. */
  readonly samples: readonly string[];
}

/** The losses of a batch and what is logged beside them: scalars. */
export interface Losses {
  /** By name; what is trained is their sum. */
  readonly losses: Readonly<Record<string, Value>>;
  /** Accuracies `<loss>/accuracy`, numbers of targets `<loss>/count`, and the like. */
  readonly metrics: Readonly<Record<string, Value>>;
  /** What each loss is for a model that knows nothing. */
  readonly chance: Metrics;
  /** Means over samples from which `carried` makes the next value of what is neither parameter nor moment. */
  readonly statistics?: Readonly<Record<string, Value>>;
  /** Values that are kept for the backward pass where all others are computed again. */
  readonly checkpoints?: readonly Value[];
}

/** What is trained on one kind of batch: its losses as a function of the parameters. */
export interface Objective {
  /** Samples of one optimizer step: those of all micro-batches of all workers. */
  readonly batchSize: number;
  /**
   * Builds the losses on a part of the batch, of `samples` samples. `p` is the root; its values are the parameters. Losses and metrics are such that
   * their means over the parts are those of the whole batch: where they are no means over samples, they take collectives (`part`).
   */
  losses(p: Params, samples: number, part: Part): Losses;
  /** The axis of the samples in every feed; 0 unless said. */
  readonly sampleAxis?: number;
  /** What the host makes of a first pass over the samples, with the parameters as they are: an assignment of predictions to targets. */
  readonly before?: BeforeStep | undefined;
}

/** A pass before a step. */
export interface BeforeStep {
  /** Results with a row for each sample. `p` is the root. */
  results(p: Params, samples: number): Readonly<Record<string, Value>>;
  /** More feeds for the step, a row for each sample, from the results and what was fed. */
  feeds(results: Feeds, given: Feeds): Feeds;
}

/** Which part of a batch a graph is for: the same graph serves all. */
export interface Part {
  /** How many equal parts there are, workers × micro-batches: collectives are between so many. */
  readonly parts: number;
  /** int32 (): the number of this part; undefined where there is one. */
  readonly index: Value | undefined;
  /** Micro-batches of one worker. */
  readonly perWorker: number;
}

/** The whole batch as its only part. */
export const WHOLE: Part = { parts: 1, index: undefined, perWorker: 1 };

/** All that is trained together, before anything is compiled. */
export interface TrainingPlan {
  /** By kind of batch. */
  readonly objectives: Readonly<Record<string, Objective>>;
  /** Scalars that steps read besides learning rates: temperatures and the like. A function of the step alone. */
  scalars?(step: number): Metrics;
  /** Tensors that the host makes for a step, for all samples: noise. A function of the step alone. */
  noise?(step: number): Feeds;
  /** How gradients reach the parameters, where AdamW alone does not say it. */
  readonly gate?: ((parameter: string) => Value | undefined) | undefined;
  /** What `clipNorm` is the norm of: all gradients together (unless said), or each parameter's. */
  readonly clipPer?: "model" | "parameter" | undefined;
  /** Whether cosine schedules count iterations from 0 and reach their peak one step earlier, as DINO's code does. */
  readonly countsFromZero?: boolean | undefined;
  /** Averages of parameters: the name of a parameter's average, and its decay. */
  readonly average?: Average | undefined;
  /** The next value of state tensors that are neither parameters nor moments, and their first. */
  readonly carried?: Carried | undefined;
  /** What losses are multiplied by before they are added up; logs show them, and their chance levels, without it. */
  readonly lossWeights?: Metrics | undefined;
}

/** A moving average of the parameters, kept in the state beside them. */
export interface Average {
  /** undefined: it has none. */
  name(parameter: string): string | undefined;
  readonly decay: number | Value;
}

/** State that is neither parameter nor moment, such as DINO's centre. */
export interface Carried {
  readonly initial: Feeds;
  next(statistics: Readonly<Record<string, Value>>): Readonly<Record<string, Value>>;
}
