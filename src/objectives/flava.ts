/** FLAVA's losses on one batch of each kind, and their weighted sum (arXiv:2112.04482 §3.2; Hugging Face's FlavaForPreTraining). */
import { add, broadcastTo, constant, mul, reshape, type Value } from "../graph/index.ts";
import { type Contrastive, type ContrastiveOptions, globalContrastive } from "./global-contrastive.ts";
import { imageTextMatching, pairWeights } from "./itm.ts";
import { type Classification, maskedCrossEntropy, type Rows } from "./masked-cross-entropy.ts";

/** Names of the losses, as Hugging Face spells them. */
export type FlavaLoss = "mim" | "mlm" | "itm" | "global_contrastive" | "mmm_image" | "mmm_text";

export interface FlavaLossWeights {
  readonly mim: number;
  readonly mlm: number;
  readonly itm: number;
  readonly globalContrastive: number;
  readonly mmmImage: number;
  readonly mmmText: number;
}

/** What a batch is judged by. */
export interface FlavaObjective {
  /** (): the sum of the losses below. */
  readonly loss: Value;
  /** Each loss that the batch has and whose weight is not 0, already multiplied by its weight. */
  readonly losses: Readonly<Partial<Record<FlavaLoss, Value>>>;
  /** Accuracies and numbers of targets, by name: "mim/accuracy". */
  readonly metrics: Readonly<Record<string, Value>>;
  /** What each loss is for a model that knows nothing. */
  readonly chance: Readonly<Partial<Record<FlavaLoss, number>>>;
}

/** A batch of pairs also shows its similarities. */
export interface PairObjective extends FlavaObjective {
  readonly contrastive: Contrastive;
}

/** What pretraining computes on a batch of pairs, as far as the losses read it. */
export interface PairValues {
  readonly contrastive: { readonly image_embeds: Value; readonly text_embeds: Value; readonly logit_scale: Value };
  readonly itm: { readonly logits: Value; readonly labels: Value | undefined };
  readonly mmm_image: Rows;
  readonly mmm_text: Rows;
}

/** Masked image modelling on a batch of images. */
export const imageObjective = ({ mim }: { readonly mim: Rows }, weights: FlavaLossWeights): FlavaObjective =>
  total([["mim", weights.mim, maskedCrossEntropy(mim)]], mim.logits);

/** Masked language modelling on a batch of texts. */
export const textObjective = ({ mlm }: { readonly mlm: Rows }, weights: FlavaLossWeights): FlavaObjective =>
  total([["mlm", weights.mlm, maskedCrossEntropy(mlm)]], mlm.logits);

/**
 * The four losses on pairs. Matching counts all pairs; the others count matched pairs only, or all when the batch has no
 * matched pair or no labels. Without labels there is no matching loss.
 */
export function pairObjective(
  values: PairValues,
  weights: FlavaLossWeights,
  options: Omit<ContrastiveOptions, "weights"> = {},
): PairObjective {
  const { contrastive, itm, mmm_image, mmm_text } = values;
  const { image_embeds, text_embeds, logit_scale } = contrastive;
  const pairs = itm.labels && pairWeights(itm.labels, itm.logits); // (B)
  const gc = globalContrastive(image_embeds, text_embeds, logit_scale, { ...options, weights: pairs });
  const terms: Term[] = [
    ["mmm_image", weights.mmmImage, maskedCrossEntropy(ofPairs(mmm_image, pairs))],
    ["mmm_text", weights.mmmText, maskedCrossEntropy(ofPairs(mmm_text, pairs))],
    ["global_contrastive", weights.globalContrastive, { ...gc.imageToText, loss: gc.loss }],
  ];
  if (itm.labels) terms.unshift(["itm", weights.itm, imageTextMatching(itm.logits, itm.labels)]);
  const result = total(terms, itm.logits);
  const metrics =
    weights.globalContrastive === 0
      ? result.metrics
      : { ...result.metrics, "global_contrastive/text_accuracy": gc.textToImage.accuracy };
  return { ...result, metrics, contrastive: gc };
}

type Term = readonly [FlavaLoss, number, Classification];

/** Rows of the pairs that count: each pair has the same number of rows, in turn. */
function ofPairs(rows: Rows, pairs: Value | undefined): Rows {
  if (!pairs) return rows;
  const [B, R] = [pairs.shape[0]!, rows.weights.shape[0]!];
  const spread = reshape(broadcastTo(reshape(pairs, [B, 1]), [B, R / B]), [R]);
  return { ...rows, weights: mul(rows.weights, spread) };
}

function total(terms: readonly Term[], like: Value): FlavaObjective {
  const losses: Partial<Record<FlavaLoss, Value>> = {};
  const metrics: Record<string, Value> = {};
  const chance: Partial<Record<FlavaLoss, number>> = {};
  for (const [name, weight, term] of terms) {
    if (weight === 0) continue;
    losses[name] = weight === 1 ? term.loss : mul(term.loss, weight);
    metrics[`${name}/accuracy`] = term.accuracy;
    metrics[`${name}/count`] = term.count;
    chance[name] = weight * term.chance;
  }
  const parts = Object.values(losses);
  const loss = parts.length > 0 ? parts.reduce((a, b) => add(a, b)) : constant(0, like.dtype);
  return { loss, losses, metrics, chance };
}
