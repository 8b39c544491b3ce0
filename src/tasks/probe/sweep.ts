/** How strongly a linear classifier is regularised: CLIP's search (arXiv:2103.00020, appendix A.3). */
import { accuracy, argmaxRows } from "../../evaluators/index.ts";
import type { Device } from "../../runtime/index.ts";
import type { LinearData } from "./linear-objective.ts";
import { type Fitted, fitLogistic, logits } from "./logistic.ts";

/** Eight values of C in each decade from 1e-6 to 1e6. */
const PER_DECADE = 8;
const DECADES = 6;
const valueAt = (index: number): number => 10 ** (index / PER_DECADE);

/** What is fitted on, and what chooses. */
export interface SweepOptions {
  readonly train: LinearData;
  readonly validation: LinearData;
  readonly maxIterations?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after every value that was tried. */
  readonly onTried?: ((tried: Tried) => void) | undefined;
}

/** A value of C and the accuracy on the validation set. */
export interface Tried {
  readonly C: number;
  readonly accuracy: number;
  readonly converged: boolean;
}

/** The best value, and all that were tried. */
export interface Swept {
  readonly C: number;
  readonly tried: readonly Tried[];
}

/**
 * 1e-6, 1e-4, …, 1e6 first; then the neighbours of the best at half the distance, three more times, down to an eighth of a decade. Of equal
 * accuracies the smaller C wins.
 */
export async function sweepC(device: Device, options: SweepOptions): Promise<Swept> {
  const { train, validation, onTried } = options;
  const tried = new Map<number, Tried>();
  let nearest: Fitted | undefined;
  const attempt = async (index: number): Promise<void> => {
    if (tried.has(index) || Math.abs(index) > DECADES * PER_DECADE) return;
    const C = valueAt(index);
    nearest = await fitLogistic(device, train, { ...options, C, start: nearest });
    const said = argmaxRows(logits(nearest, validation.x), nearest.classes);
    const found = { C, accuracy: accuracy(said, validation.labels), converged: nearest.converged };
    tried.set(index, found);
    onTried?.(found);
  };
  for (let index = -DECADES * PER_DECADE; index <= DECADES * PER_DECADE; index += 2 * PER_DECADE) await attempt(index);
  for (let step = PER_DECADE; step >= 1; step /= 2) {
    const best = bestOf(tried);
    await attempt(best - step);
    await attempt(best + step);
  }
  return { C: valueAt(bestOf(tried)), tried: [...tried.values()].sort((a, b) => a.C - b.C) };
}

function bestOf(tried: ReadonlyMap<number, Tried>): number {
  let best: number | undefined;
  for (const [index, { accuracy: share }] of [...tried].sort(([a], [b]) => a - b))
    if (best === undefined || share > tried.get(best)!.accuracy) best = index;
  return best!;
}
