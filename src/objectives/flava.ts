/** FLAVA's losses on one batch of each kind, and their weighted sum (arXiv:2112.04482 §3.2; Hugging Face's FlavaForPreTraining). */
import { add, broadcastTo, constant, mul, reshape, type Value } from "../graph/index.ts";
import { type Contrastive, type ContrastiveOptions, globalContrastive } from "./global-contrastive.ts";
import { imageTextMatching, pairWeights } from "./itm.ts";
import { type Classification, maskedCrossEntropy, type Rows } from "./masked-cross-entropy.ts";
import type { BatchPart } from "./parts.ts";

/** Names of the losses, as Hugging Face spells them. */
export type FlavaLoss = "mim" | "mlm" | "itm" | "global_contrastive" | "mmm_image" | "mmm_text";

/** What each loss is multiplied by; 0 leaves it out, and what only it needs. */
export interface LossWeights {
  readonly mim: number;
  readonly mlm: number;
  readonly itm: number;
  readonly globalContrastive: number;
  readonly mmmImage: number;
  readonly mmmText: number;
}

/** The paper gives none; both public codebases: 1. */
export const equalWeights: LossWeights = { mim: 1, mlm: 1, itm: 1, globalContrastive: 1, mmmImage: 1, mmmText: 1 };

/** The losses of a batch. */
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

/** What the contrastive loss compares: embeddings of length 1, (B, E), and the log of the inverse temperature. */
export interface ContrastiveValues {
  readonly image_embeds: Value;
  readonly text_embeds: Value;
  readonly logit_scale: Value;
}

/** What pretraining computes on a batch of pairs, as far as the losses read it. */
export interface PairValues {
  readonly contrastive: ContrastiveValues;
  readonly itm: { readonly logits: Value; readonly labels: Value | undefined };
  readonly mmm_image: Rows;
  readonly mmm_text: Rows;
}

/** Masked image modelling on a batch of images. */
export const imageObjective = (
  { mim }: { readonly mim: Rows },
  weights: LossWeights = equalWeights,
  part: BatchPart = {},
): FlavaObjective => total([["mim", weights.mim, maskedCrossEntropy(mim, part)]], mim.logits);

/** Masked language modelling on a batch of texts. */
export const textObjective = (
  { mlm }: { readonly mlm: Rows },
  weights: LossWeights = equalWeights,
  part: BatchPart = {},
): FlavaObjective => total([["mlm", weights.mlm, maskedCrossEntropy(mlm, part)]], mlm.logits);

/**
 * The losses on pairs that each sample has by itself: matching on all pairs, masked multimodal modelling on matched pairs only, or on
 * all when the batch has no matched pair or no labels. Without labels there is no matching loss.
 */
export function maskedPairObjective(
  { itm, mmm_image, mmm_text }: Omit<PairValues, "contrastive">,
  weights: LossWeights = equalWeights,
  part: BatchPart = {},
): FlavaObjective {
  const pairs = itm.labels && pairWeights(itm.labels, itm.logits, part); // (B)
  const terms: Term[] = [
    ["mmm_image", weights.mmmImage, maskedCrossEntropy(ofPairs(mmm_image, pairs), part)],
    ["mmm_text", weights.mmmText, maskedCrossEntropy(ofPairs(mmm_text, pairs), part)],
  ];
  if (itm.labels) terms.unshift(["itm", weights.itm, imageTextMatching(itm.logits, itm.labels, part)]);
  return total(terms, itm.logits);
}

/**
 * The contrastive loss, which compares the pairs of a batch with each other: on matched pairs only, or on all when the batch has no
 * matched pair or no labels (B).
 */
export function contrastiveObjective(
  { image_embeds, text_embeds, logit_scale }: ContrastiveValues,
  labels: Value | undefined,
  weights: LossWeights = equalWeights,
  options: Omit<ContrastiveOptions, "weights"> = {},
): PairObjective {
  const pairs = labels && pairWeights(labels, image_embeds, options);
  const contrastive = globalContrastive(image_embeds, text_embeds, logit_scale, { ...options, weights: pairs });
  const { imageToText, textToImage, loss } = contrastive;
  const result = total([["global_contrastive", weights.globalContrastive, { ...imageToText, loss }]], image_embeds);
  const accuracy = { "global_contrastive/text_accuracy": textToImage.accuracy };
  const metrics = weights.globalContrastive === 0 ? result.metrics : { ...result.metrics, ...accuracy };
  return { ...result, metrics, contrastive };
}

/** All four losses on pairs, on one and the same batch. */
export function pairObjective(
  values: PairValues,
  weights: LossWeights = equalWeights,
  options: Omit<ContrastiveOptions, "weights"> = {},
): PairObjective {
  const own = maskedPairObjective(values, weights, options);
  const compared = contrastiveObjective(values.contrastive, values.itm.labels, weights, options);
  const losses = { ...own.losses, ...compared.losses };
  return {
    loss: sumOf(losses, values.itm.logits),
    losses,
    metrics: { ...own.metrics, ...compared.metrics },
    chance: { ...own.chance, ...compared.chance },
    contrastive: compared.contrastive,
  };
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
  return { loss: sumOf(losses, like), losses, metrics, chance };
}

/** 0 where there is none. */
function sumOf(losses: FlavaObjective["losses"], like: Value): Value {
  const parts = Object.values(losses);
  return parts.length > 0 ? parts.reduce((a, b) => add(a, b)) : constant(0, like.dtype);
}
