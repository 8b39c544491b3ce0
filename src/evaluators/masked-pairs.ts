/** Masked multimodal modelling on held-out pairs: both heads of the multimodal encoder, as in training but with fixed masks. */

import type { EvaluationContext } from "../api/context.ts";
import { batches, createRunner, hasParameters, modelGraph, only } from "../api/runner.ts";
import { type ModelGraph, pairBatch, pretrainPairs } from "../models/flava/index.ts";
import { Params } from "../nn/index.ts";
import type { JointStage } from "../pretrain/recipe/types.ts";
import { maxMaskTargets } from "../text/index.ts";
import { type MaskedScores, maskedImage, maskedText, prefixed, rowScores, Tally } from "./masked.ts";
import { builtFeeds, type Pair } from "./pair-set.ts";

export type PairStage = Pick<JointStage, "textLength" | "lossWeights" | "imageMasking" | "pairMasking">;

export interface MaskedPairs {
  /** Of the heads that there are. */
  measure(pairs: readonly Pair[], signal?: AbortSignal): Promise<{ text?: MaskedScores; image?: MaskedScores }>;
  dispose(): void;
}

const HEADS = ["text", "image"] as const;
const RESULTS = ["loss", "hit", "target", "weight"];

/** Undefined where the state has neither head, or neither counts in the loss. */
export function createMaskedPairs(context: EvaluationContext, stage: PairStage): MaskedPairs | undefined {
  const { device, state, model, tokenizer, recipe } = context;
  const batch = recipe.evaluation.batchSize;
  const whole = maskedPairsGraph(context, stage, batch);
  const counts = {
    text: stage.lossWeights.mmmText > 0,
    image: stage.lossWeights.mmmImage > 0 && model.codebook !== null,
  };
  const names = (head: string): string[] => RESULTS.map((name) => `${head}.${name}`);
  const heads = HEADS.filter((head) => counts[head] && hasParameters(state, only(whole, ...names(head))));
  if (heads.length === 0) return undefined;
  const runner = createRunner(device, only(whole, ...heads.flatMap(names)), batch, { state });
  const image = maskedImage(model, stage.imageMasking);
  const text = maskedText(stage.textLength.pairs, stage.pairMasking);
  return {
    async measure(pairs, signal) {
      const tallies = heads.map((head) => [head, new Tally()] as const);
      for (const [first, part] of batches(pairs, batch)) {
        const samples = part.map(({ key, image: bytes, caption }) => ({ key, image: bytes, text: caption }));
        const draws = { tokenizer, signal, seed: recipe.seed, first };
        const results = await runner.run(await builtFeeds({ kind: "pair", image, text }, draws, samples), signal);
        for (const [head, tally] of tallies) tally.add(results, `${head}.`);
      }
      return Object.fromEntries(tallies.map(([head, tally]) => [head, tally.scores()]).filter(([, scores]) => scores));
    },
    dispose: () => runner.dispose(),
  };
}

function maskedPairsGraph({ model }: EvaluationContext, stage: PairStage, batch: number): ModelGraph {
  const textLength = stage.textLength.pairs;
  const sizes = {
    batch,
    textLength,
    maskedPatches: stage.imageMasking.patches,
    maskedTokens: maxMaskTargets(textLength, stage.pairMasking.probability),
    itmLabels: false,
  };
  const p = new Params();
  const { mmm_text, mmm_image } = pretrainPairs(p, model, pairBatch(model, sizes));
  const results = { ...prefixed("text", rowScores(mmm_text)), ...prefixed("image", rowScores(mmm_image)) };
  return modelGraph("evaluate.mmm", p, results);
}
