/** What a stage of training is: kinds of batches with their losses, where batches come from, and what the loop looks at. */
import type { BatchBuild, DatasetOptions } from "../data/index.ts";
import type { Value } from "../graph/index.ts";
import type { Params } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

export type Feeds = Readonly<Record<string, Tensor>>;
export type Metrics = Readonly<Record<string, number>>;

/** One batch: which kind it is of, and its named tensors. */
export interface Batch {
  /** "image", "text", "pair", … : the key of the stage's kind. */
  readonly kind: string;
  readonly feeds: Feeds;
  /** Names of the samples, for the report of a failure. */
  readonly samples: readonly string[];
}

/** Something measured now and then during training, on held-out data. */
export interface Evaluator {
  readonly name: string;
  /** What a guess scores, by the names that `run` yields. */
  readonly chance?: Metrics;
  /** Yields metrics one by one; the first failure ends the run. */
  run(step: number, signal?: AbortSignal): AsyncIterable<readonly [metric: string, value: number]>;
  dispose?(): void;
}

/** What a batch is judged by: scalars. */
export interface Judged {
  /** By name; what is trained is their sum. */
  readonly losses: Readonly<Record<string, Value>>;
  /** Accuracies `<loss>/accuracy`, numbers of targets `<loss>/count`, and the like. */
  readonly metrics: Readonly<Record<string, Value>>;
  /** What each loss is for a model that knows nothing. */
  readonly chance: Metrics;
  /** Means over samples from which `carry` makes the next value of what is neither parameter nor moment. */
  readonly statistics?: Readonly<Record<string, Value>>;
  /** Values that are kept for the backward pass where all others are computed again. */
  readonly checkpoints?: readonly Value[];
}

/** A kind of batch, and its losses as a function of the parameters. */
export interface BatchKind {
  /** Samples of one optimizer step, all micro-batches together. */
  readonly batchSize: number;
  /** Builds the losses on `samples` samples. `p` is the root; its values are the parameters. */
  judge(p: Params, samples: number): Judged;
  /**
   * How many targets each loss has in part of a batch: what the part weighs in the mean over the whole batch. Absent: its
   * samples.
   */
  targets?(part: Feeds, whole: Feeds): Metrics;
  /** The axis of the samples in every feed; 0 unless said. */
  readonly sampleAxis?: number;
  /** Where a loss compares the samples of a batch with each other: its part of the graph, to be cut from the rest. */
  readonly contrast?: Contrast | undefined;
}

/**
 * A loss over embeddings of the whole batch. With micro-batches the step is cut at the embeddings (gradient caching, Gao et
 * al., arXiv:2101.06983): all embeddings first, then the loss and its gradient by them, then micro-batch by micro-batch the
 * encoders again with that gradient. The kind's own `judge` leaves this loss out.
 */
export interface Contrast {
  /** The embeddings of a micro-batch, by name: (B, E). */
  embed(p: Params, samples: number): Readonly<Record<string, Value>>;
  /** The loss on the embeddings of all samples. It may read fields of the whole batch. */
  judge(p: Params, embeds: Readonly<Record<string, Value>>): Judged;
}

/** A stage, before anything is compiled or read. */
export interface StagePlan {
  readonly kinds: Readonly<Record<string, BatchKind>>;
  /** What the loader reads for each kind. */
  readonly datasets: readonly PlannedDataset[];
  /** Scalars that steps read besides learning rates: temperatures and the like. A function of the step alone. */
  scalars?(step: number): Metrics;
  /** Tensors that the host makes for a step: noise. A function of the step alone. */
  noise?(step: number): Feeds;
  /** How gradients reach the parameters, where AdamW alone does not say it. */
  readonly gate?: ((parameter: string) => Value | undefined) | undefined;
  /** Averages of parameters: the name of a parameter's average, and its decay. */
  readonly average?: Average | undefined;
  /** The next value of state tensors that are neither parameters nor moments, and their first. */
  readonly carried?: Carried | undefined;
  /** What losses are multiplied by before they are added up; logs show them, and their chance levels, without it. */
  readonly lossWeights?: Metrics | undefined;
  /** Whether a parameter is one of the model that the stage trains (and not, say, its teacher's). */
  isModel?(parameter: string): boolean;
  /** The parameter whose first value this one shares. */
  twin?(parameter: string): string | undefined;
}

export interface PlannedDataset extends Pick<DatasetOptions, "ratio" | "negatives" | "pack"> {
  readonly kind: string;
  /** Of which kind of the recipe's data it is. */
  readonly data: "pairs" | "images" | "texts";
  readonly build: BatchBuild;
}

export interface Average {
  name(parameter: string): string;
  readonly decay: number | Value;
}

export interface Carried {
  readonly initial: Feeds;
  next(statistics: Readonly<Record<string, Value>>): Readonly<Record<string, Value>>;
}
