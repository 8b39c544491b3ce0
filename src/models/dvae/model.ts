/** The whole dVAE: encode, relax, decode (arXiv:2102.12092 §2.1 and appendix A). */
import { add, div, softmax, type Value } from "../../graph/index.ts";
import type { Params } from "../../nn/index.ts";
import type { DvaeConfig } from "./config.ts";
import { dvaeDecoder, type PixelDistribution } from "./decoder.ts";
import { dvaeEncoder } from "./encoder.ts";

/** What a training step of the dVAE computes. */
export interface DvaeOutputs extends PixelDistribution {
  /** (B, V, h, w). */
  readonly logits: Value;
}

/**
 * Relaxed one-hot samples softmax((logits + noise)/τ) over axis 1 (Jang et al., arXiv:1611.01144; Maddison et al.,
 * arXiv:1611.00712). `noise` holds standard Gumbel draws, −ln(−ln u), of the shape of the logits.
 */
export const gumbelSoftmax = (logits: Value, noise: Value, temperature: Value): Value =>
  softmax(div(add(logits, noise), temperature), 1);

/** Pixels in [0.1, 0.9] → word logits and the distribution of the pixels given one relaxed sample. */
export function dvae(p: Params, config: DvaeConfig, pixels: Value, noise: Value, temperature: Value): DvaeOutputs {
  const logits = dvaeEncoder(p.at("image_codebook"), config, pixels);
  return { logits, ...dvaeDecoder(p.at("image_decoder"), config, gumbelSoftmax(logits, noise, temperature)) };
}
