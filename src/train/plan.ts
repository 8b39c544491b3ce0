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
  /** The contrast's embeddings, where this pass has them anyway: they need not be computed once more. */
  readonly embeds?: Readonly<Record<string, Value>> | undefined;
  /** Values that are kept for the backward pass where all others are computed again. */
  readonly checkpoints?: readonly Value[];
}

/** What is trained on one kind of batch: its losses as a function of the parameters. */
export interface Objective {
  /** Samples of one optimizer step, all micro-batches together. */
  readonly batchSize: number;
  /** Builds the losses on `samples` samples. `p` is the root; its values are the parameters. */
  losses(p: Params, samples: number): Losses;
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
 * encoders again with that gradient. The objective's own `losses` leave this one out.
 */
export interface Contrast {
  /** The embeddings of a micro-batch, by name: (B, E). Beside losses that have `embeds` of their own it is left out. */
  embed(p: Params, samples: number): Readonly<Record<string, Value>>;
  /** The loss on the embeddings of all samples. It may read fields of the whole batch. */
  losses(p: Params, embeds: Readonly<Record<string, Value>>): Losses;
}

/** All that is trained together, before anything is compiled. */
export interface TrainingPlan {
  /** By kind of batch. */
  readonly objectives: Readonly<Record<string, Objective>>;
  /** Scalars that steps read besides learning rates: temperatures and the like. A function of the step alone. */
  scalars?(step: number): Metrics;
  /** Tensors that the host makes for a step: noise. A function of the step alone. */
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
  name(parameter: string): string;
  readonly decay: number | Value;
}

/** State that is neither parameter nor moment, such as DINO's centre. */
export interface Carried {
  readonly initial: Feeds;
  next(statistics: Readonly<Record<string, Value>>): Readonly<Record<string, Value>>;
}

/** The losses of two parts of one objective on the same batch. */
export const joined = (a: Losses, b: Losses): Losses => ({
  ...a,
  losses: { ...a.losses, ...b.losses },
  metrics: { ...a.metrics, ...b.metrics },
  chance: { ...a.chance, ...b.chance },
});
