/** The evaluator of pairs whose pictures are regions of a detector, or of a grid: matching and masked words. */
import { batches, createRunner, hasParameters, only, type Runner } from "../api/index.ts";
import {
  type BadSample,
  type BatchItem,
  maskedTexts,
  type RegionBuild,
  type TextBuild,
  type TokenMasking,
  tagsOf,
} from "../data/index.ts";
import { DataError } from "../errors.ts";
import { type ModelGraph, modelGraph } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import type { Feeds } from "../tensor/index.ts";
import type { EvaluationContext, Evaluator } from "./evaluator.ts";
import { builtFeeds } from "./feeds.ts";
import { galleries, hardNegatives } from "./galleries.ts";
import { type MaskedScores, rowScores, Tally } from "./masked.ts";
import type { Pair, PairSet } from "./pair-set.ts";

/** A set of pairs, and what is measured on it. */
export interface RegionPairsOptions {
  /** The set's; metrics start with it. */
  readonly name: string;
  readonly pairs: PairSet;
  /** Tokens of a text, tags included. */
  readonly textLength: number;
  /** Which regions are read: the first so many, or the cells of a grid. */
  readonly regions: Pick<RegionBuild, "most" | "grid">;
  readonly matching: boolean;
  /** How words are masked; absent: they are not measured. */
  readonly masking?: TokenMasking | undefined;
  /** Called for a pair that the model cannot read: without tags, of another width. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** A pair as a batch takes it; `text` instead of its own caption. */
export const regionItem = (pair: Pair, text: string = pair.caption): RegionItem => ({
  key: pair.key,
  text,
  image: pair.image,
  regions: pair.regions,
  tags: tagsOf(pair),
});

export type RegionItem = Pick<BatchItem, "key" | "text" | "image" | "regions" | "tags">;

/** How batches of a model that reads regions are made, and the sizes of the graph that takes them. */
export interface RegionFeeds {
  readonly text: TextBuild;
  readonly sizes: { readonly textLength: number; readonly regions: number };
  /** `first`: the number of the first sample, which its masks are drawn by. */
  feeds(items: readonly RegionItem[], first?: number): Promise<Feeds>;
}

/** Batches of a context's model: texts masked or whole, and regions of which none is. */
export function regionFeeds(
  { model, tokenizer, seed, signal }: EvaluationContext,
  { regions, textLength }: Pick<RegionPairsOptions, "regions" | "textLength">,
  masking?: TokenMasking,
): RegionFeeds {
  const { tags, ...own } = model.regions!;
  const text = masking ? maskedTexts(textLength, masking) : { length: textLength, mask: null };
  const build = { kind: "regions", tags, text, regions: { ...regions, ...own, masked: null, classes: 0 } } as const;
  return {
    text,
    sizes: { textLength, regions: regions.most + (own.mean ? 1 : 0) },
    feeds: (items: readonly RegionItem[], first = 0) => builtFeeds(build, { tokenizer, seed, signal, first }, items),
  };
}

/**
 * `itm_accuracy`: each pair once with its caption and once with a wrong one. `mmm_text_accuracy`: of masked tokens. What the model cannot
 * read is left out and told to `onBad`. Throws DataError where nothing is left.
 */
export function createRegionPairs(context: EvaluationContext, options: RegionPairsOptions): Evaluator {
  const { name } = options;
  const chance: Record<string, number> = {};
  let usable: readonly Pair[] | undefined;
  const open = () => ({
    matching: options.matching ? createMatching(context, options) : undefined,
    words: options.masking && createWords(context, options, options.masking),
  });
  let parts: ReturnType<typeof open> | undefined;
  return {
    name,
    chance,
    async *run(_step, signal = context.signal) {
      usable ??= await readable(context, options);
      parts ??= open();
      const matched = await parts.matching?.measure(usable, signal);
      if (matched !== undefined) {
        chance.itm_accuracy = 0.5;
        yield ["itm_accuracy", matched];
      }
      const words = await parts.words?.measure(usable, signal);
      if (words) {
        chance.mmm_text_accuracy = words.majority;
        yield ["mmm_text_accuracy", words.accuracy];
      }
    },
    dispose() {
      for (const part of Object.values(parts ?? {})) part?.dispose();
    },
  };
}

/** The pairs of which batches can be made. */
async function readable(context: EvaluationContext, options: RegionPairsOptions): Promise<Pair[]> {
  const { feeds } = regionFeeds(context, options);
  const good: Pair[] = [];
  let first: string | undefined;
  for (const pair of await options.pairs()) {
    try {
      await feeds([regionItem(pair)]);
      good.push(pair);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const reason = error.message.split("\n")[0]!;
      first ??= reason;
      options.onBad?.({ source: options.name, key: pair.key, reason });
    }
  }
  if (good.length === 0)
    throw new DataError(`${options.name}: expected pairs that the model can read, got none: ${first}`);
  return good;
}

interface Measure<T> {
  measure(pairs: readonly Pair[], signal?: AbortSignal): Promise<T | undefined>;
  dispose(): void;
}

/** The share of pairs that are rightly told to match or not; undefined where no pair has a wrong caption. */
function createMatching(context: EvaluationContext, options: RegionPairsOptions): Measure<number> | undefined {
  const { batchSize, seed, model } = context;
  const { sizes, feeds } = regionFeeds(context, options);
  const runner = runnerOf(context, only(model.regionPair!({ batch: batchSize, ...sizes }), "itm_logits"));
  if (!runner) return undefined;
  return {
    async measure(pairs, signal) {
      const asked = galleries(pairs).flatMap((gallery) => {
        const negatives = hardNegatives(gallery, seed);
        return gallery.pairs.flatMap((pair, i) =>
          negatives[i] === undefined ? [] : [regionItem(pair), regionItem(pair, negatives[i])],
        );
      });
      let right = 0;
      for (const [first, part] of batches(asked, batchSize)) {
        const { itm_logits } = await runner.run(await feeds(part, first), signal);
        const said = itm_logits!.data as Float32Array;
        right += part.filter((_, i) => said[2 * i + 1]! > said[2 * i]! === ((first + i) % 2 === 0)).length;
      }
      return asked.length === 0 ? undefined : right / asked.length;
    },
    dispose: () => runner.dispose(),
  };
}

function createWords(
  context: EvaluationContext,
  options: RegionPairsOptions,
  masking: TokenMasking,
): Measure<MaskedScores> | undefined {
  const { batchSize, model } = context;
  const { text, sizes, feeds } = regionFeeds(context, options, masking);
  const p = new Params();
  const maskedTokens = text.mask!.maxTargets;
  const found = model.masked!.pair(p, { batch: batchSize, ...sizes, maskedPatches: 0, maskedTokens });
  const runner = runnerOf(context, modelGraph("evaluate.region-words", p, rowScores(found.text)));
  if (!runner) return undefined;
  return {
    async measure(pairs, signal) {
      const tally = new Tally();
      for (const [first, part] of batches(pairs, batchSize))
        tally.add(
          await runner.run(
            await feeds(
              part.map((pair) => regionItem(pair)),
              first,
            ),
            signal,
          ),
        );
      return tally.scores();
    },
    dispose: () => runner.dispose(),
  };
}

const runnerOf = ({ device, state, batchSize }: EvaluationContext, g: ModelGraph): Runner | undefined =>
  hasParameters(state, g) ? createRunner(device, g, batchSize, { state }) : undefined;
