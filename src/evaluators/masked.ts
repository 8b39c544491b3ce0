/** What masked prediction scores: row by row on the engine, summed on the host. */
import { argmax, cast, equal, type Value } from "../graph/index.ts";
import { crossEntropy, type Rows } from "../objectives/index.ts";
import type { Tensor } from "../tensor/index.ts";

/**
 * Row by row: the loss, whether the largest logit is the target, the target, and whether the row counts. They are summed on
 * the host, in float64 and without what only fills up a batch.
 */
export function rowScores({ logits, targets, weights }: Rows): Record<"loss" | "hit" | "target" | "weight", Value> {
  const target = cast(targets, "int32");
  return {
    loss: crossEntropy(logits, target),
    hit: cast(equal(argmax(logits, 1), target), "int32"),
    target,
    weight: weights,
  };
}

/** The same results with a name before theirs. */
export const prefixed = <T>(prefix: string, results: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(results).map(([name, value]) => [`${prefix}.${name}`, value]));

/** Scores of masked prediction, and those of guesses that look at nothing but how often each target occurs. */
export interface MaskedScores {
  /** Targets. */
  readonly count: number;
  /** Mean cross entropy. */
  readonly loss: number;
  readonly accuracy: number;
  /** How often each target occurs. */
  readonly targets: ReadonlyMap<number, number>;
  /** The share of the commonest target: the most that one constant answer can reach here. */
  readonly majority: number;
}

/** Adds up row scores. */
export class Tally {
  readonly #targets = new Map<number, number>();
  #count = 0;
  #loss = 0;
  #hits = 0;

  /** Takes the results `loss`, `hit`, `target`, `weight` (with "prefix." before them). */
  add(results: Readonly<Record<string, Tensor>>, prefix = ""): void {
    const [loss, hit, target, weight] = ["loss", "hit", "target", "weight"].map((name) => results[prefix + name]!.data);
    for (let r = 0; r < weight!.length; r++) {
      if (Number(weight![r]) === 0) continue;
      this.#count++;
      this.#loss += Number(loss![r]);
      this.#hits += Number(hit![r]);
      const id = Number(target![r]);
      this.#targets.set(id, (this.#targets.get(id) ?? 0) + 1);
    }
  }

  /** Undefined where there was no target. */
  scores(): MaskedScores | undefined {
    if (this.#count === 0) return undefined;
    const n = this.#count;
    return {
      count: n,
      loss: this.#loss / n,
      accuracy: this.#hits / n,
      targets: this.#targets,
      majority: Math.max(...this.#targets.values()) / n,
    };
  }
}
