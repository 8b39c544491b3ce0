/** Masked image modelling by the image encoder on held-out pictures, with fixed masks. */

import type { EvaluationContext } from "../api/context.ts";
import { batches, createRunner, hasParameters, modelGraph } from "../api/runner.ts";
import { imageBatch, pretrainImages } from "../models/flava/index.ts";
import { Params } from "../nn/index.ts";
import type { PatchMasking } from "../pretrain/recipe/types.ts";
import type { Evaluator } from "../train/stage.ts";
import { maskedImage, rowScores, Tally } from "./masked.ts";
import { builtFeeds, type PairSet } from "./pair-set.ts";

export interface MimOptions {
  /** Their pictures, of all sets together. */
  readonly pairs: readonly PairSet[];
  readonly masking: PatchMasking;
}

/**
 * `loss`, `accuracy`, and `majority_accuracy`: the share of the commonest visual word among the targets. Nothing where there
 * are no sets, no head or no codebook.
 */
export function createMim(context: EvaluationContext, { pairs, masking }: MimOptions): Evaluator {
  const { device, state, model, recipe } = context;
  const { batchSize } = recipe.evaluation;
  const p = new Params();
  const sizes = { batch: batchSize, textLength: 1, maskedPatches: masking.patches, maskedTokens: 1 };
  const graph = modelGraph("evaluate.mim", p, rowScores(pretrainImages(p, model, imageBatch(model, sizes)).mim));
  const runner = createRunner(device, graph, batchSize, { state });
  const image = maskedImage(model, masking);
  const chance: Record<string, number> = { loss: Math.log(model.image.vocabSize) };
  return {
    name: "mim",
    chance,
    async *run(_step, signal = context.signal) {
      if (model.codebook === null || !hasParameters(state, graph)) return;
      const pictures = (await Promise.all(pairs.map((set) => set()))).flat();
      const tally = new Tally();
      for (const [first, part] of batches(pictures, batchSize)) {
        const samples = part.map(({ key, image: bytes }) => ({ key, image: bytes }));
        const feeds = await builtFeeds({ kind: "image", image }, { signal, seed: recipe.seed, first }, samples);
        tally.add(await runner.run(feeds, signal));
      }
      const found = tally.scores();
      if (!found) return;
      chance.accuracy = found.majority;
      yield ["loss", found.loss];
      yield ["accuracy", found.accuracy];
      yield ["majority_accuracy", found.majority];
    },
    dispose: () => runner.dispose(),
  };
}
