/** What makes SimVLM's image tokens: the first stages of a ResNet, or squares of pixels and bottlenecks (arXiv:2108.10904 §3.2). */
import { permute, reshape, type Value } from "../../graph/index.ts";
import {
  type BatchNormOptions,
  bottleneck,
  conv,
  fanInUniform,
  normal,
  type Params,
  resnetStage,
  resnetStem,
} from "../../nn/index.ts";
import type { SimvlmConfig } from "./config.ts";

/** Pixels (B, C, H, W) → (B, D, H / side, W / side). `p` is the scope `stem`. */
export function simvlmStem(
  p: Params,
  config: SimvlmConfig,
  pixels: Value,
  statistics: BatchNormOptions["statistics"],
): Value {
  const { image, hiddenSize, initializerRange } = config;
  const { stem, stemWidth, patchSize } = image;
  const root = p.withWeights(fanInUniform);
  return p.scope(() => {
    if (stem === "patchify") {
      const squares = conv(root.at("conv"), pixels, stemWidth, { kernel: patchSize, stride: patchSize, bias: true });
      return image.blocks.reduce(
        (x, channels, i) => bottleneck(root.at(`block.${i}`), x, { channels, statistics }),
        squares,
      );
    }
    let x = resnetStem(root, pixels, stemWidth, statistics);
    for (const [i, blocks] of image.stages.entries()) {
      const stride = i === 0 ? 1 : 2;
      x = resnetStage(root.at(`layer${i + 1}`), x, { blocks, channels: stemWidth * 4 * 2 ** i, stride, statistics });
    }
    const projection = p.withWeights(normal(initializerRange)).at("projection");
    return conv(projection, x, hiddenSize, { kernel: 1, bias: true });
  });
}

/** (B, D, h, w) → (B, h·w, D), row by row. */
export function placesAsTokens(x: Value): Value {
  const { B, D, h, w } = x.dims("B D h w");
  return permute(reshape(x, [B, D, h * w]), [0, 2, 1]);
}
