/** Masked multimodal modelling on held-out pairs: both heads of the multimodal encoder, as in training but with fixed masks. */
import { batches, createRunner, hasParameters, only } from "../api/index.ts";
import { maskedTexts, type PatchMasking, type TokenMasking, wholeImages } from "../data/index.ts";
import { modelGraph } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import type { EvaluationContext } from "./evaluator.ts";
import { builtFeeds } from "./feeds.ts";
import { type MaskedScores, prefixed, rowScores, Tally } from "./masked.ts";
import type { Pair } from "./pair-set.ts";

/** How pairs are masked, as in training, and which heads are measured. */
export interface MaskedPairOptions {
  readonly textLength: number;
  /** Absent: no patch is masked. */
  readonly imageMasking?: PatchMasking | undefined;
  readonly textMasking: TokenMasking;
  /** Which heads are measured. */
  readonly heads: readonly ("text" | "image")[];
}

/** Measures masked multimodal modelling. */
export interface MaskedPairs {
  /** Of the heads that there are. */
  measure(pairs: readonly Pair[], signal?: AbortSignal): Promise<{ text?: MaskedScores; image?: MaskedScores }>;
  dispose(): void;
}

const RESULTS = ["loss", "hit", "target", "weight"];

/** Undefined where the model or the state has none of these heads. */
export function createMaskedPairs(context: EvaluationContext, options: MaskedPairOptions): MaskedPairs | undefined {
  const { device, state, model, tokenizer, batchSize, seed } = context;
  const { pictures, masked, codebook } = model;
  if (!masked || !pictures) return undefined;
  const image = wholeImages(pictures, options.imageMasking);
  const text = maskedTexts(options.textLength, options.textMasking);
  const sizes = {
    batch: batchSize,
    textLength: text.length,
    maskedPatches: image.mask?.total ?? 0,
    maskedTokens: text.mask.maxTargets,
    itmLabels: false,
  };
  const p = new Params();
  const found = masked.pair(p, sizes);
  const results = {
    ...prefixed("text", rowScores(found.text)),
    ...(found.image && prefixed("image", rowScores(found.image))),
  };
  const whole = modelGraph("evaluate.mmm", p, results);
  const names = (head: string): string[] => RESULTS.map((name) => `${head}.${name}`);
  const heads = options.heads.filter(
    (head) => (head === "text" || (codebook && found.image)) && hasParameters(state, only(whole, ...names(head))),
  );
  if (heads.length === 0) return undefined;
  const runner = createRunner(device, only(whole, ...heads.flatMap(names)), batchSize, { state });
  return {
    async measure(pairs, signal) {
      const tallies = heads.map((head) => [head, new Tally()] as const);
      for (const [first, part] of batches(pairs, batchSize)) {
        const samples = part.map(({ key, image: bytes, caption }) => ({ key, image: bytes, text: caption }));
        const draws = { tokenizer, signal, seed, first };
        const rows = await runner.run(await builtFeeds({ kind: "pair", image, text }, draws, samples), signal);
        for (const [head, tally] of tallies) tally.add(rows, `${head}.`);
      }
      return Object.fromEntries(tallies.map(([head, tally]) => [head, tally.scores()]).filter(([, scores]) => scores));
    },
    dispose: () => runner.dispose(),
  };
}
