/** What masked prediction is judged by, and the masks of evaluations: a function of the recipe's seed and a sample's place. */
import type { BatchBuild } from "../data/index.ts";
import { argmax, cast, equal, type Value } from "../graph/index.ts";
import { codebookImageSize, type FlavaConfig, gridSize } from "../models/flava/index.ts";
import { crossEntropy, type Rows } from "../objectives/index.ts";
import type { PatchMasking, TokenMasking } from "../pretrain/recipe/types.ts";
import type { Tensor } from "../tensor/index.ts";
import { maxMaskTargets } from "../text/index.ts";

type ImageBuild = Extract<BatchBuild, { kind: "image" }>["image"];
type TextBuild = Extract<BatchBuild, { kind: "text" }>["text"];

/** Whole pictures with masked patches. */
export function maskedImage(model: FlavaConfig, masking: PatchMasking): ImageBuild {
  const { patches: total, minBlock, maxBlock, minAspect } = masking;
  const [rows, columns] = [gridSize(model.image), gridSize(model.image)];
  return {
    size: model.image.imageSize,
    codebookSize: codebookImageSize(model),
    augment: null,
    mask: { rows, columns, total, minBlock, maxBlock: maxBlock ?? total, minAspect },
  };
}

/** Texts with masked tokens. */
export const maskedText = (length: number, masking: TokenMasking): TextBuild => ({
  length,
  mask: { ...masking, maxTargets: maxMaskTargets(length, masking.probability) },
});

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
