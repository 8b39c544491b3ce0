/** How much of its vocabulary the dVAE uses on held-out pictures, and how well hard words give the pictures back. */

import type { EvaluationContext } from "../api/context.ts";
import { batches, createRunner, hasParameters, modelGraph } from "../api/runner.ts";
import { ConfigError } from "../errors.ts";
import { input, mean, mul, reshape, sub } from "../graph/index.ts";
import {
  type DvaeConfig,
  dvaeDecoderOfIds,
  dvaeEncoder,
  reconstruction,
  unmapPixels,
  visualWords,
  wordSize,
} from "../models/dvae/index.ts";
import { codebookImageSize, type ModelGraph } from "../models/flava/index.ts";
import { Params } from "../nn/index.ts";
import { emaName } from "../optim/index.ts";
import type { Evaluator } from "../train/stage.ts";
import { builtFeeds, type PairSet } from "./pair-set.ts";

export interface CodebookOptions {
  /** Their pictures, of all sets together. */
  readonly pairs: readonly PairSet[];
  /** Side of the pictures; null: the side that gives one visual word a patch. */
  readonly imageSize: number | null;
  /** The weights as trained, or their averages. */
  readonly weights: "live" | "ema";
}

/**
 * `usage`: the share of the visual words that occur; `perplexity`: the exponential of their entropy; `mse`: the mean squared
 * error of pixels in [0, 1], decoded from the likeliest words. Nothing where there are no sets or the state lacks the weights.
 */
export function createCodebook(context: EvaluationContext, { pairs, imageSize, weights }: CodebookOptions): Evaluator {
  const { device, state, model, recipe } = context;
  const config = model.codebook;
  if (!config) throw new ConfigError("codebook evaluation: expected model.codebook, got null");
  const size = imageSize ?? codebookImageSize(model);
  const { batchSize } = recipe.evaluation;
  const graph = codebookGraph(config, size, batchSize, weights === "ema" ? emaScope : "");
  const runner = createRunner(device, graph, batchSize, { state });
  return {
    name: "codebook",
    async *run(_step, signal = context.signal) {
      if (!hasParameters(state, graph)) return;
      const counts = new Uint32Array(config.vocabSize);
      const errors: number[] = [];
      const pictures = (await Promise.all(pairs.map((set) => set()))).flat();
      for (const [, part] of batches(pictures, batchSize)) {
        const samples = part.map(({ key, image }) => ({ key, image }));
        const { words, mse } = await runner.run(
          await builtFeeds({ kind: "dvae", size, augment: null }, { signal }, samples),
          signal,
        );
        for (const word of words!.data) counts[Number(word)]! += 1;
        errors.push(...Array.from(mse!.data as Float32Array));
      }
      if (errors.length === 0) return;
      yield ["usage", counts.filter((n) => n > 0).length / config.vocabSize];
      yield ["perplexity", perplexity(counts)];
      yield ["mse", errors.reduce((sum, e) => sum + e, 0) / errors.length];
    },
    dispose: () => runner.dispose(),
  };
}

/** The scope of averaged weights: "ema". */
const emaScope = emaName("").slice(0, -1);

/** `codebook_pixel_values` (B, C, S, S) → `words` int32 (B, P) and `mse` (B). */
function codebookGraph(config: DvaeConfig, size: number, batch: number, scope: string): ModelGraph {
  const root = new Params();
  const p = scope === "" ? root : root.at(scope);
  const pixels = input("codebook_pixel_values", [batch, config.channels, size, size]);
  const words = visualWords(dvaeEncoder(p.at("image_codebook"), config, pixels));
  const side = size / wordSize(config);
  const { mu } = dvaeDecoderOfIds(p.at("image_decoder"), config, reshape(words, [batch, side, side]));
  const error = sub(reconstruction(mu), unmapPixels(pixels));
  return modelGraph("evaluate.codebook", root, { words, mse: mean(mul(error, error), [1, 2, 3]) });
}

/** e to the entropy of what was counted: how many words there would be if all that occur were equally frequent. */
export function perplexity(counts: ArrayLike<number>): number {
  const list = Array.from(counts);
  const total = list.reduce((sum, n) => sum + n, 0);
  return Math.exp(list.reduce((sum, n) => (n === 0 ? sum : sum - (n / total) * Math.log(n / total)), 0));
}
