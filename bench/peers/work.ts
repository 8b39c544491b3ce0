/** What is timed, and who runs it. */

/** A product of matrices as a linear layer (y = x Wᵀ) has it forward and backward, or one of attention's. */
export interface ProductShape {
  readonly form: "forward" | "inputGradient" | "weightGradient" | "scores" | "context";
  /** Samples times tokens; for attention the number of heads over the batch. */
  readonly rows: number;
  readonly inner: number;
  readonly out: number;
}

/** Something that every lane can be asked to do. */
export type Work = {
  readonly name: string;
  readonly title: string;
  /** Operations of one run, multiplications and additions of products alone. */
  readonly flops: number;
} & (
  | { readonly kind: "product"; readonly shape: ProductShape }
  | { readonly kind: "forward" | "training"; readonly batch: number }
  | { readonly kind: "flava"; readonly batch: number }
);

/** What one run took, in seconds. */
export interface Times {
  readonly wall: number;
  /** Of all threads: steady on a busy machine, with one thread above all. */
  readonly processor: number;
}

/** A work that a lane has made ready. */
export interface Runner {
  run(): Promise<Times>;
  dispose(): void | Promise<void>;
}

/** An engine at one precision. */
export interface Lane {
  readonly name: string;
  /** Undefined where the lane has no such work. Throws EngineError where it cannot do it. */
  prepare(work: Work): Promise<Runner | undefined>;
}
