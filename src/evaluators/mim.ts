/** Masked image modelling by the image encoder on held-out pictures, with fixed masks. */
import { batches, createRunner, hasParameters } from "../api/index.ts";
import { maskedImages, type PatchMasking } from "../data/index.ts";
import { modelGraph } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import type { EvaluationContext, Evaluator } from "./evaluator.ts";
import { builtFeeds } from "./feeds.ts";
import { rowScores, Tally } from "./masked.ts";
import type { PairSet } from "./pair-set.ts";

/** Whose pictures are masked, and how. */
export interface MimOptions {
  /** Their pictures, of all sets together. */
  readonly pairs: readonly PairSet[];
  readonly masking: PatchMasking;
}

/**
 * `loss`, `accuracy`, and `majority_accuracy`: the share of the commonest visual word among the targets. Nothing where there
 * are no sets or no head; undefined where the model has no such head or no codebook.
 */
export function createMim(context: EvaluationContext, { pairs, masking }: MimOptions): Evaluator | undefined {
  const { device, state, model, batchSize, seed } = context;
  const { masked, pictures, codebook } = model;
  if (!masked?.image || !pictures || !codebook) return undefined;
  const p = new Params();
  const sizes = { batch: batchSize, textLength: 1, maskedPatches: masking.patches, maskedTokens: 1 };
  const graph = modelGraph("evaluate.mim", p, rowScores(masked.image(p, sizes).image));
  const runner = createRunner(device, graph, batchSize, { state });
  const image = maskedImages(pictures, masking, null);
  const chance: Record<string, number> = { loss: Math.log(pictures.words) };
  return {
    name: "mim",
    chance,
    async *run(_step, signal = context.signal) {
      if (!hasParameters(state, graph)) return;
      const held = (await Promise.all(pairs.map((set) => set()))).flat();
      const tally = new Tally();
      for (const [first, part] of batches(held, batchSize)) {
        const samples = part.map(({ key, image: bytes }) => ({ key, image: bytes }));
        tally.add(
          await runner.run(await builtFeeds({ kind: "image", image }, { signal, seed, first }, samples), signal),
        );
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
