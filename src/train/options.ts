/** Training options that do not depend on the losses: optimizer, schedule, steps. */

export interface AdamWChoice {
  /** Peak learning rate. */
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  /** What the weight decay becomes by a cosine over the stage; null: it stays. */
  readonly finalWeightDecay: number | null;
  /** Regular expressions: parameters whose name matches one do not decay. */
  readonly noDecay: readonly string[];
}

/** The learning rate over the steps: warm-up, then decay. */
export interface ScheduleChoice {
  readonly kind: "cosine" | "linear" | "constant";
  /** Steps from 0 to the peak. */
  readonly warmupSteps: number;
  readonly finalLr: number;
  /** Step at which `finalLr` is reached; null: the last. */
  readonly decaySteps: number | null;
}

/** How a training runs, whatever it trains. */
export interface TrainingOptions {
  readonly steps: number;
  /** Micro-batches of one optimizer step. */
  readonly gradientAccumulationSteps: number;
  readonly optimizer: AdamWChoice;
  readonly schedule: ScheduleChoice;
  /** Largest gradient norm; null: no clipping. */
  readonly clipNorm: number | null;
  /** Whether activations are computed again in the backward pass: less memory, about a third more time. */
  readonly recompute: boolean;
}
