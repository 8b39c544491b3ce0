/** The evidence lower bound of the discrete VAE (DALL-E, arXiv:2102.12092 §2.1 and appendix A). */
import {
  abs,
  add,
  exp,
  log,
  logSoftmax,
  mean,
  mul,
  neg,
  sigmoid,
  slice,
  softmax,
  sub,
  sum,
  type Value,
} from "../graph/index.ts";
import { type BatchPart, overParts } from "./parts.ts";

/**
 * Log density of pixels x in (0, 1) under the logit-Laplace distribution, element by element:
 *   ln f(x | μ, b) = −ln(2b·x·(1 − x)) − |ln(x/(1 − x)) − μ|/b
 */
export function logitLaplace(x: Value, mu: Value, logScale: Value): Value {
  const [a, b] = [log(x), log(sub(1, x))];
  const distance = mul(abs(sub(sub(a, b), mu)), exp(neg(logScale)));
  return neg(add(add(add(logScale, add(a, b)), distance), Math.LN2));
}

/** KL(softmax(logits) ‖ uniform) over an axis of V words: Σ q·(ln q + ln V). */
export function klToUniform(logits: Value, axis = -1): Value {
  const V = logits.shape.at(axis)!;
  return add(sum(mul(softmax(logits, axis), logSoftmax(logits, axis)), [axis]), Math.log(V));
}

/** How much each word is used in each image: logits (B, V, h, w) → (B, V), mean of softmax(logits) over places. */
export const wordShares = (logits: Value): Value => mean(softmax(logits, 1), [2, 3]);

/**
 * KL(mean of the shares over the batch ‖ uniform), in nats: shares (B, V) → (). 0 where all words are used alike, ln V where one
 * is. It is no mean over images: each part of a batch has the unevenness of all.
 */
export function unevenness(shares: Value, part: BatchPart = {}): Value {
  const { V } = shares.dims("B V");
  const { parts = 1 } = part;
  const share = mul(overParts(mean(shares, [0]), part), 1 / parts);
  return add(sum(mul(share, log(add(share, 1e-9)))), Math.log(V));
}

/** Mean of |Δ(r − g)| + |Δ((r + g)/2 − b)|: pixels (B, 3, H, W). */
function chromaError(x: Value, y: Value): Value {
  const [r, g, b] = [0, 1, 2].map((channel) =>
    sub(slice(x, 1, channel, channel + 1), slice(y, 1, channel, channel + 1)),
  ) as [Value, Value, Value];
  return mean(add(abs(sub(r, g)), abs(sub(mul(add(r, g), 0.5), b))));
}

export interface DvaeValues {
  /** (B, C, H, W), mapped to [0.1, 0.9]. */
  readonly pixels: Value;
  /** (B, C, H, W): parameters of their distributions. */
  readonly mu: Value;
  readonly logScale: Value;
  /** (B, V, h, w). */
  readonly logits: Value;
  /** β: weight of the divergence; 6.6 after its warm-up in the paper. */
  readonly beta: Value | number;
  /** Weight of the errors in colour; 0, the default, as in the paper. */
  readonly chroma?: number | undefined;
}

export interface DvaeObjective {
  /** (): what is minimised, in nats per pixel value. */
  readonly loss: Value;
  /** (): −ln f, mean over pixel values. */
  readonly reconstruction: Value;
  /** (): divergence from the uniform prior, mean over places. 0 means that words say nothing; ln V is the most. */
  readonly kl: Value;
  /** (): mean error of the pixels' likeliest values in red against green and in yellow against blue; where it has a weight. */
  readonly chroma?: Value;
}

/**
 * L = [Σ −ln f(x) + β·Σ KL(q ‖ uniform)] / (C·H·W), mean over images: sums over all pixel values and all places, as the paper
 * divides the whole bound by the number of pixel values (there 256·256·3, so the mean divergence weighs β/192). Every pixel is
 * a target.
 */
export function dvaeLoss({ chroma: colourful = 0, ...values }: DvaeValues): DvaeObjective {
  const { pixels, mu, logScale, logits, beta } = values;
  const { C, H, W } = pixels.dims("B C H W");
  const { h, w } = logits.dims("B V h w");
  const reconstruction = neg(mean(logitLaplace(pixels, mu, logScale)));
  const kl = mean(klToUniform(logits, 1));
  const bound = add(reconstruction, mul(mul(kl, beta), (h * w) / (C * H * W)));
  if (colourful === 0) return { loss: bound, reconstruction, kl };
  const chroma = chromaError(pixels, sigmoid(mu));
  return { loss: add(bound, mul(chroma, colourful)), reconstruction, kl, chroma };
}
