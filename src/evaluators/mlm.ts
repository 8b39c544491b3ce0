/** Masked language modelling by the text encoder on held-out texts, with fixed masks. */
import { createRunner, cutRows, hasParameters } from "../api/index.ts";
import { type BadSample, maskedTexts, passBatches, type Source, type TokenMasking } from "../data/index.ts";
import { modelGraph } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import type { Feeds } from "../tensor/index.ts";
import type { BreakMode } from "../text/index.ts";
import { type EvaluationContext, type Evaluator, once } from "./evaluator.ts";
import { rowScores, Tally } from "./masked.ts";
import { readUnigram } from "./unigram.ts";

/** Opens sources when they are first needed. */
type OpenSources = () => Promise<readonly Source[]>;

/** Which texts are masked, and how. */
export interface MlmOptions {
  /** Held out; none: nothing is measured. */
  readonly texts: OpenSources;
  /** What was trained on: how often each token occurs there is the guess to beat. */
  readonly training: OpenSources;
  /** Rows of each source; more are left out. */
  readonly max: number;
  readonly textLength: number;
  readonly masking: TokenMasking;
  /** As in training: how sentences are packed into rows; null: a row holds one text. */
  readonly pack: BreakMode | null;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/**
 * `loss` and `accuracy`, and on the same targets those of guesses that do not read the text: `unigram_loss`, of the shares of
 * tokens in the training texts (where there are any), and `unigram_accuracy`, the most that one constant answer can reach. Nothing
 * where there are no texts to evaluate on or no head; undefined where the model has no such head.
 */
export function createMlm(context: EvaluationContext, options: MlmOptions): Evaluator | undefined {
  const { device, state, model, tokenizer, batchSize, seed } = context;
  const { textLength, masking, pack, onBad, max } = options;
  if (!model.masked?.text || !model.texts) return undefined;
  const p = new Params();
  const text = maskedTexts(textLength, masking);
  const sizes = { batch: batchSize, textLength, maskedPatches: 1, maskedTokens: text.mask.maxTargets };
  const graph = modelGraph("evaluate.mlm", p, rowScores(model.masked.text(p, sizes).text));
  const runner = createRunner(device, graph, batchSize, { state });
  const texts = once(options.texts);
  const training = once(options.training);
  const unigram = once(async () => readUnigram(await training(), tokenizer, context.signal));
  const chance: Record<string, number> = { loss: Math.log(model.texts.vocabSize) };
  const build = { kind: "text", text } as const;

  /** The first rows of every source; each has draws of its own. */
  async function* rows(signal: AbortSignal | undefined): AsyncGenerator<Feeds> {
    for (const [i, source] of (await texts()).entries()) {
      const packing = pack && { breakMode: pack };
      const pass = { name: `evaluation.texts.${i}`, sources: [{ source }], build, batchSize, pack: packing };
      let left = max;
      for await (const { feeds } of passBatches({ ...pass, tokenizer, seed, signal, onBad })) {
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
      if (!hasParameters(state, graph)) return;
      const tally = new Tally();
      for await (const feeds of rows(signal)) tally.add(await runner.run(feeds, signal));
      const found = tally.scores();
      if (!found) return;
      chance.accuracy = found.majority;
      yield ["loss", found.loss];
      yield ["accuracy", found.accuracy];
      if ((await training()).length > 0) yield ["unigram_loss", meanLoss(found.targets, await unigram())];
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
