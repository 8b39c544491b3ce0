/** The dVAE's encoder: the image tokenizer of FLAVA (arXiv:2112.04482 §3.2; names of Hugging Face's FlavaImageCodebook). */
import { ShapeError } from "../../errors.ts";
import { argmax, maxPool2d, relu, reshape, type Value } from "../../graph/index.ts";
import { convolution, type Params, type Taps } from "../../nn/index.ts";
import { groups } from "./blocks.ts";
import { type DvaeConfig, wordSize } from "./config.ts";

/** Pixels mapped to [0.1, 0.9] (B, C, H, W) → logits over visual words (B, V, H/s, W/s), s = 2^(groups − 1). */
export function dvaeEncoder(p: Params, config: DvaeConfig, pixels: Value, out?: Taps): Value {
  return convolution(p.at("blocks.output.conv"), dvaeFeatures(p, config, pixels, out), config.vocabSize, 1);
}

/** What the logits are a linear function of: (B, C, H, W) → (B, F, H/s, W/s), F = `featureSize(config)`, none below 0. */
export function dvaeFeatures(p: Params, config: DvaeConfig, pixels: Value, out?: Taps): Value {
  const blocks = p.at("blocks");
  return blocks.scope(() => {
    const [height, width] = pixels.shape.slice(2) as [number, number];
    if (height % wordSize(config) || width % wordSize(config))
      throw new ShapeError(`${blocks.path}: ${height} × ${width} pixels are not whole words of ${wordSize(config)}`);
    const x = convolution(blocks.at("input"), pixels, config.hiddenSize, 7);
    out?.set(blocks.at("input").path, x);
    const widths = Array.from({ length: config.groups }, (_, g) => config.hiddenSize * 2 ** g);
    return relu(groups(blocks, x, config, { widths, kernels: [3, 3, 3, 1], between: (y) => maxPool2d(y, 2), out }));
  });
}

/** Channels of the encoder's last group. */
export const featureSize = ({ hiddenSize, groups }: Pick<DvaeConfig, "hiddenSize" | "groups">): number =>
  hiddenSize * 2 ** (groups - 1);

/** The likeliest visual word at each place, the first on ties, row by row: logits (B, V, h, w) → int32 (B, h·w). */
export function visualWords(logits: Value): Value {
  const { B, h, w } = logits.dims("B V h w");
  return reshape(argmax(logits, 1), [B, h * w]);
}
