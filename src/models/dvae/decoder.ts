/** The dVAE's decoder: from visual words, hard or relaxed, to the parameters of a pixel distribution (openai/DALL-E). */
import { add, gather, permute, relu, reshape, slice, upsample2d, type Value } from "../../graph/index.ts";
import { convNormal, convolution, type Params, zeros } from "../../nn/index.ts";
import { groups } from "./blocks.ts";
import type { DvaeConfig } from "./config.ts";

/** The distribution of each pixel that the decoder predicts. */
export interface PixelDistribution {
  /** Location of each channel's logit-Laplace distribution, (B, C, H, W). */
  readonly mu: Value;
  /** Logarithm of its scale. */
  readonly logScale: Value;
}

/** Weights over words at each place (B, V, h, w), one-hot or relaxed → distributions of pixels (B, C, h·s, w·s). */
export function dvaeDecoder(p: Params, config: DvaeConfig, words: Value): PixelDistribution {
  return rest(p, config, convolution(p.at("blocks.input"), words, embeddingSize(config), 1));
}

/** The same for hard words, ids (B, h, w): the first convolution becomes a look-up. */
export function dvaeDecoderOfIds(p: Params, config: DvaeConfig, ids: Value): PixelDistribution {
  const scope = p.at("blocks.input");
  const x = scope.scope(() => {
    const D = embeddingSize(config);
    const weight = reshape(scope.get("weight", [D, config.vocabSize, 1, 1], convNormal), [D, config.vocabSize]);
    const rows = gather(permute(weight, [1, 0]), ids); // (B, h, w, D)
    return permute(add(rows, scope.get("bias", [D], zeros)), [0, 3, 1, 2]); // (B, D, h, w)
  });
  return rest(p, config, x);
}

/** What the decoder reads of a word: 128 numbers of the published size, and never so few that small ones could not tell words apart. */
export const embeddingSize = ({ hiddenSize }: Pick<DvaeConfig, "hiddenSize">): number => Math.max(32, hiddenSize / 2);

function rest(p: Params, config: DvaeConfig, x: Value): PixelDistribution {
  const blocks = p.at("blocks");
  return blocks.scope(() => {
    const widths = Array.from({ length: config.groups }, (_, g) => config.hiddenSize * 2 ** (config.groups - 1 - g));
    const h = groups(blocks, x, config, { widths, kernels: [1, 3, 3, 3], between: (y) => upsample2d(y, 2) });
    const y = convolution(blocks.at("output.conv"), relu(h), 2 * config.channels, 1);
    return { mu: slice(y, 1, 0, config.channels), logScale: slice(y, 1, config.channels) };
  });
}
