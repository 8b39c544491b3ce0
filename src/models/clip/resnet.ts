/**
 * CLIP's ResNet (arXiv:2103.00020 §2.4; openai/CLIP, model.py): a stem of three convolutions, pooling before every convolution that would
 * have a stride, and attention whose one query is the mean of all places. Names are those of OpenAI's files.
 */
import { add, broadcastTo, concat, mean, permute, relu, reshape, slice, type Value } from "../../graph/index.ts";
import {
  attention,
  type BatchNormOptions,
  batchNorm,
  conv,
  fanInUniform,
  type Interpolation,
  interpolatePositions,
  linear,
  meanPool,
  normal,
  type Params,
  type PlainConvolution,
} from "../../nn/index.ts";
import type { ClipImageConfig } from "./config.ts";
import { PROJECTIONS } from "./transformer.ts";

type Statistics = BatchNormOptions["statistics"];

/** A bottleneck's result is this many times as wide as its middle. */
const EXPANSION = 4;

/** Pixels (B, C, H, W) → features (B, 32·width, H / 32, W / 32). `p` is the scope `vision_model`. */
export function clipResnet(p: Params, config: ClipImageConfig, pixels: Value, statistics: Statistics): Value {
  return p.scope(() => {
    const { width, blocks } = config;
    const root = p.withWeights(fanInUniform);
    const stem = (x: Value, i: number, channels: number, stride: number): Value =>
      normed(root, x, i, { channels, kernel: 3, stride, padding: 1 }, statistics);
    let x = stem(pixels, 1, width / 2, 2);
    x = stem(x, 2, width / 2, 1);
    x = meanPool(stem(x, 3, width, 1), 2);
    for (const [stage, count] of blocks.entries())
      for (let i = 0; i < count; i++) {
        const stride = i === 0 && stage > 0 ? 2 : 1;
        x = bottleneck(root.at(`layer${stage + 1}.${i}`), x, width * 2 ** stage, stride, statistics);
      }
    return x;
  });
}

/** relu(BN(conv(x))), the convolution and the norm being the i-th of their block. */
function normed(
  p: Params,
  x: Value,
  i: number,
  { channels, ...window }: PlainConvolution & { readonly channels: number },
  statistics: Statistics,
): Value {
  return relu(batchNorm(p.at(`bn${i}`), conv(p.at(`conv${i}`), x, channels, window), { statistics }));
}

/** 1×1, 3×3, pooling, 1×1, and the input added: (B, C, H, W) → (B, 4·channels, H / stride, W / stride). */
function bottleneck(p: Params, x: Value, channels: number, stride: number, statistics: Statistics): Value {
  return p.scope(() => {
    const wide = channels * EXPANSION;
    let y = normed(p, x, 1, { channels, kernel: 1 }, statistics);
    y = meanPool(normed(p, y, 2, { channels, kernel: 3, padding: 1 }, statistics), stride);
    y = batchNorm(p.at("bn3"), conv(p.at("conv3"), y, wide, { kernel: 1 }), { statistics });
    if (stride === 1 && x.shape[1] === wide) return relu(add(y, x));
    const shortcut = conv(p.at("downsample.0"), meanPool(x, stride), wide, { kernel: 1 });
    return relu(add(y, batchNorm(p.at("downsample.1"), shortcut, { statistics })));
  });
}

export interface PoolOptions {
  readonly heads: number;
  /** Places along a side that there are positions for. */
  readonly grid: number;
  readonly outputSize: number;
  readonly interpolate?: Interpolation | undefined;
}

/**
 * Attention of the mean of all places to it and to all places: features (B, C, h, w) → tokens (B, 1 + h·w, C), the mean first, and
 * the result (B, outputSize).
 */
export function attentionPool(
  p: Params,
  features: Value,
  { heads, grid, outputSize, interpolate }: PoolOptions,
): { readonly tokens: Value; readonly pooled: Value } {
  return p.scope(() => {
    const { B, C, h, w } = features.dims("B C h w");
    const scope = p.withWeights(normal(C ** -0.5));
    const places = permute(reshape(features, [B, C, h * w]), [0, 2, 1]);
    const all = concat([mean(places, [1], { keep: true }), places], 1); // (B, 1 + h·w, C)
    const learned = reshape(scope.get("positional_embedding", [1 + grid * grid, C], scope.weightInit), [1, -1, C]);
    const positions = interpolate ? interpolatePositions(learned, h, w, interpolate) : learned;
    const tokens = add(all, broadcastTo(positions, all.shape));
    const query = slice(tokens, 1, 0, 1);
    const context = attention(scope, query, { heads, context: tokens, names: PROJECTIONS }); // (B, 1, C)
    return { tokens, pooled: linear(scope.at("c_proj"), reshape(context, [B, C]), outputSize) };
  });
}
