/** Losses of fine-tuning: classes, several answers with a worth each, and numbers. All are means over the samples of a batch. */
import {
  abs,
  add,
  argmax,
  cast,
  equal,
  exp,
  log,
  maximum,
  mean,
  mul,
  neg,
  reshape,
  sub,
  type Value,
} from "../graph/index.ts";
import { smoothedCrossEntropy } from "./masked-cross-entropy.ts";

/** A loss and what is logged beside it. */
export interface TaskLoss {
  /** (). */
  readonly loss: Value;
  /** (): share of samples whose highest logit is the target; absent for numbers. */
  readonly accuracy?: Value;
  /** Of a model that knows nothing. */
  readonly chance: number;
}

/**
 * Cross entropy of logits (B, C) with labels int (B). With smoothing ε a target is 1 − ε of its class and ε / C of each (Szegedy et al.,
 * arXiv:1512.00567 §7; torch's `label_smoothing`).
 */
export function classLoss(logits: Value, labels: Value, smoothing = 0): TaskLoss {
  const C = logits.dims("B C").C;
  const loss = smoothedCrossEntropy(logits, labels, smoothing);
  const hits = cast(equal(argmax(logits, 1), cast(labels, "int32")), logits.dtype);
  return { loss, accuracy: mean(hits), chance: Math.log(C) };
}

/**
 * Binary cross entropy of logits (B, C) with the worth of each answer, `scores` (B, C) in 0..1, summed over the answers: MMF's loss of
 * VQA, the mean times the number of labels. In the form without overflow: max(x, 0) − x·t + ln(1 + e^−|x|).
 */
export function answerLoss(logits: Value, scores: Value): TaskLoss {
  const { B, C } = logits.dims("B C");
  const each = add(sub(maximum(logits, 0), mul(logits, scores)), log(add(exp(neg(abs(logits))), 1)));
  return { loss: mul(mean(reshape(each, [B! * C!])), C!), chance: C! * Math.LN2 };
}

/** Mean squared error of logits (B, 1) with targets (B). Where targets have mean 0 and variance 1, as here, a guess scores 1. */
export function numberLoss(logits: Value, targets: Value): TaskLoss {
  const difference = sub(reshape(logits, [logits.dims("B C").B!]), targets);
  return { loss: mean(mul(difference, difference)), chance: 1 };
}
