/** Masked language modelling by the text encoder on held-out texts, with fixed masks. */

import type { EvaluationContext } from "../api/context.ts";
import { createRunner, cutRows, type Feeds, hasParameters, modelGraph } from "../api/runner.ts";
import { type BadSample, passBatches } from "../data/index.ts";
import { openData } from "../datasets/index.ts";
import { pretrainTexts, textBatch } from "../models/flava/index.ts";
import { Params } from "../nn/index.ts";
import type { TokenMasking } from "../pretrain/recipe/types.ts";
import { type BreakMode, maxMaskTargets } from "../text/index.ts";
import type { Evaluator } from "../train/stage.ts";
import { maskedText, rowScores, Tally } from "./masked.ts";
import { once } from "./pair-set.ts";
import { readUnigram } from "./unigram.ts";

export interface MlmOptions {
  readonly textLength: number;
  readonly masking: TokenMasking;
  /** As in training: how sentences are packed into rows; null: a row holds one text. */
  readonly pack: BreakMode | null;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/**
 * `loss` and `accuracy` on `evaluation.texts`, and on the same targets those of guesses without a look at the text: `unigram_loss`, of
 * the shares of tokens in the training texts (where there are any), and `unigram_accuracy`, the most that one constant answer can reach.
 * Nothing where there are no texts to evaluate on or no head.
 */
export function createMlm(context: EvaluationContext, { textLength, masking, pack, onBad }: MlmOptions): Evaluator {
  const { device, state, model, tokenizer, recipe } = context;
  const { texts, maxPairs, batchSize } = recipe.evaluation;
  const p = new Params();
  const maskedTokens = maxMaskTargets(textLength, masking.probability);
  const batch = textBatch({ batch: batchSize, textLength, maskedPatches: 1, maskedTokens });
  const graph = modelGraph("evaluate.mlm", p, rowScores(pretrainTexts(p, model, batch).mlm));
  const runner = createRunner(device, graph, batchSize, { state });
  const sources = once(() => Promise.all(texts.map((spec) => openData(spec))));
  const training = recipe.data.texts.map(({ source }) => source);
  const unigram = once(() => readUnigram(training, tokenizer, context.signal));
  const chance: Record<string, number> = { loss: Math.log(model.text.vocabSize) };
  const build = { kind: "text", text: maskedText(textLength, masking) } as const;

  /** The first rows of every source; each has draws of its own. */
  async function* rows(signal: AbortSignal | undefined): AsyncGenerator<Feeds> {
    for (const [i, source] of (await sources()).entries()) {
      const packing = pack && { breakMode: pack };
      const pass = { name: `evaluation.texts.${i}`, sources: [{ source }], build, batchSize, pack: packing };
      let left = maxPairs;
      for await (const { feeds } of passBatches({ ...pass, tokenizer, seed: recipe.seed, signal, onBad })) {
        yield Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, cutRows(t, left)]));
        left -= feeds.input_ids!.shape[0]!;
        if (left <= 0) break;
      }
    }
  }

  return {
    name: "mlm",
    chance,
    async *run(_step, signal = context.signal) {
      if (texts.length === 0 || !hasParameters(state, graph)) return;
      const tally = new Tally();
      for await (const feeds of rows(signal)) tally.add(await runner.run(feeds, signal));
      const found = tally.scores();
      if (!found) return;
      chance.accuracy = found.majority;
      yield ["loss", found.loss];
      yield ["accuracy", found.accuracy];
      if (training.length > 0) yield ["unigram_loss", meanLoss(found.targets, await unigram())];
      yield ["unigram_accuracy", found.majority];
    },
    dispose: () => runner.dispose(),
  };
}

/** The mean loss of targets, each as often as it occurs. */
function meanLoss(targets: ReadonlyMap<number, number>, loss: (id: number) => number): number {
  let [sum, count] = [0, 0];
  for (const [id, times] of targets) {
    sum += times * loss(id);
    count += times;
  }
  return sum / count;
}
