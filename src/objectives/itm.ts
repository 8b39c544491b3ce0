/** Image-text matching (arXiv:2112.04482 §3.2), and which pairs the other losses of a batch of pairs count. */
import { broadcastTo, cast, constant, equal, sub, sum, type Value, where } from "../graph/index.ts";
import { type Classification, maskedCrossEntropy } from "./masked-cross-entropy.ts";
import { type BatchPart, overParts, shareOf } from "./parts.ts";

/**
 * Mean over all pairs of the cross entropy of logits (B, 2) with labels int (B): 1 (or any number but 0) is a matched pair,
 * 0 a replaced caption. There is always a target: a batch has at least one pair.
 */
export function imageTextMatching(logits: Value, labels: Value, part: BatchPart = {}): Classification {
  const B = logits.dims("B V").B;
  const weights = broadcastTo(constant(1, logits.dtype), [B]);
  const found = maskedCrossEntropy({ logits, targets: cast(matched(labels, logits), "int32"), weights });
  return { ...found, count: shareOf(found.count, part) }; // parts have equally many pairs
}

/**
 * What matching scores for a model that knows nothing but the share of replaced captions among the pairs: the entropy of that share in
 * nats, and the accuracy of always saying the commoner label. With a tenth replaced, 0.325 and 90 %, not ln 2 and a half.
 */
export function matchingChance(replaced: number): { readonly loss: number; readonly accuracy: number } {
  const surprise = (p: number): number => (p > 0 ? -p * Math.log(p) : 0);
  return { loss: surprise(replaced) + surprise(1 - replaced), accuracy: Math.max(replaced, 1 - replaced) };
}

/**
 * Weight of each pair in the contrastive and the masked multimodal losses, (B): 1 for matched pairs, 0 for others; when no
 * pair of the batch is matched, 1 for all, as in both public implementations. It holds whatever the weight of matching; Hugging
 * Face's code counts all pairs when `itm_weight` is 0. `like` gives the dtype.
 */
export function pairWeights(labels: Value, like: Value, part: BatchPart = {}): Value {
  const positive = matched(labels, like);
  return where(equal(overParts(sum(positive), part), 0), 1, positive);
}

/** 1 where a label is not 0. */
const matched = (labels: Value, like: Value): Value => sub(1, cast(equal(labels, 0), like.dtype));
