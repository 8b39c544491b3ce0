/** The interface of evaluators: each measures a loaded model on held-out data. */
import type { LoadedModel } from "../api/index.ts";
import type { TextTokenizer } from "../text/index.ts";

/** One evaluation of a model during training or at its end. */
export interface Evaluator {
  /** What its metrics start with. */
  readonly name: string;
  /** What a guess scores, by the names that `run` yields; filled in at the latest when it has run. */
  readonly chance?: Readonly<Record<string, number>>;
  /** Yields metrics one by one; the first failure ends the run. */
  run(step: number, signal?: AbortSignal): AsyncIterable<readonly [metric: string, value: number]>;
  dispose?(): void;
}

/** The model that is measured. Masks and negatives are functions of the seed and of a sample's place. */
export interface EvaluationContext extends LoadedModel {
  readonly tokenizer: TextTokenizer;
  readonly seed: number;
}

/** Calls `make` on the first call and keeps its result; a failure is not kept. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
