/** How much of its vocabulary a codebook uses on held-out pictures, and how well hard words give the pictures back. */
import { batches, createRunner, hasParameters } from "../api/index.ts";
import { input, mean, mul, sub } from "../graph/index.ts";
import { unmapPixels } from "../models/dvae/index.ts";
import { type Codebook, type ModelGraph, modelGraph } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import { colourErrors, evened, type Planes, planesOf } from "./colour-errors.ts";
import type { EvaluationContext, Evaluator } from "./evaluator.ts";
import { builtFeeds } from "./feeds.ts";
import type { PairSet } from "./pair-set.ts";

/** Whose pictures are reconstructed, and at which size. */
export interface CodebookOptions {
  /** Their pictures, of all sets together. */
  readonly pairs: readonly PairSet[];
  /** Side of the pictures; null: the side that gives one visual word a patch. */
  readonly imageSize: number | null;
  /** Before the names of the weights: "ema" for averages; "" for the weights as trained. */
  readonly scope: string;
}

/**
 * `usage`: the share of the visual words that occur; `perplexity`: the exponential of their entropy. Of pictures decoded from their
 * likeliest words: `mse`, the mean squared error of pixels in [0, 1], and their mean errors as people see them, the two parts of
 * ΔE*ab (CIE 1976): `colour_error`, √(Δa*² + Δb*²), and `lightness_error`, |ΔL*|. Beside these what one colour a patch of a word's
 * size would give (`patch_…`), and one colour a picture (`picture_…`). Nothing where there are no sets or the state lacks the
 * weights; undefined where the model has no codebook.
 */
export function createCodebook(
  context: EvaluationContext,
  { pairs, imageSize, scope }: CodebookOptions,
): Evaluator | undefined {
  const { device, state, model, batchSize } = context;
  const { codebook, pictures } = model;
  if (!codebook || !pictures) return undefined;
  const size = imageSize ?? pictures.codebookSize;
  const graph = codebookGraph(codebook, size, batchSize, scope);
  const runner = createRunner(device, graph, batchSize, { state });
  return {
    name: "codebook",
    async *run(_step, signal = context.signal) {
      if (!hasParameters(state, graph)) return;
      const counts = new Uint32Array(codebook.vocabSize);
      const found: Record<string, number>[] = [];
      const held = (await Promise.all(pairs.map((set) => set()))).flat();
      for (const [, part] of batches(held, batchSize)) {
        const samples = part.map(({ key, image }) => ({ key, image }));
        const { words, mse, decoded, original } = await runner.run(
          await builtFeeds({ kind: "dvae", size, augment: null }, { signal }, samples),
          signal,
        );
        for (const word of words!.data) counts[Number(word)]! += 1;
        for (const [i, one] of Array.from(mse!.data as Float32Array).entries())
          found.push({ mse: one, ...errorsOf(planesOf(original!, i), planesOf(decoded!, i), codebook.wordSize) });
      }
      if (found.length === 0) return;
      yield ["usage", counts.filter((n) => n > 0).length / codebook.vocabSize];
      yield ["perplexity", perplexity(counts)];
      for (const name of Object.keys(found[0]!))
        yield [name, found.reduce((sum, errors) => sum + errors[name]!, 0) / found.length];
    },
    dispose: () => runner.dispose(),
  };
}

/** `codebook_pixel_values` (B, C, S, S) → `words` int32 (B, P), `mse` (B), and pixels in 0..1: `decoded` and `original`, of the same shape. */
function codebookGraph(codebook: Codebook, size: number, batch: number, scope: string): ModelGraph {
  const root = new Params();
  const pixels = input("codebook_pixel_values", [batch, codebook.channels, size, size]);
  const { words, decoded } = codebook.reconstruct(scope === "" ? root : root.at(scope), pixels);
  const original = unmapPixels(pixels);
  const error = sub(decoded, original);
  return modelGraph("evaluate.codebook", root, { words, mse: mean(mul(error, error), [1, 2, 3]), decoded, original });
}

/** The errors of a picture made of visual words, and beside them those of the plainest ones. */
function errorsOf(truth: Planes, decoded: Planes, wordSize: number): Record<string, number> {
  const made = { "": decoded, patch_: evened(truth, wordSize), picture_: evened(truth, truth.side) };
  return Object.fromEntries(
    Object.entries(made).flatMap(([name, picture]) => {
      const { colour, lightness } = colourErrors(truth, picture);
      return [
        [`${name}colour_error`, colour],
        [`${name}lightness_error`, lightness],
      ];
    }),
  );
}

/** e to the entropy of what was counted: how many words there would be if all that occur were equally frequent. */
export function perplexity(counts: ArrayLike<number>): number {
  const list = Array.from(counts);
  const total = list.reduce((sum, n) => sum + n, 0);
  return Math.exp(list.reduce((sum, n) => (n === 0 ? sum : sum - (n / total) * Math.log(n / total)), 0));
}
