/** EfficientNet without its last convolution (Tan & Le, arXiv:1905.11946), with Hugging Face's names for ALIGN's. */
import { add, mean, mul, pad, sigmoid, type Value } from "../../graph/index.ts";
import { type BatchNormOptions, batchNorm, conv, type Params, swish } from "../../nn/index.ts";
import { type AlignImageConfig, type Block, blocksOf, stemWidth } from "./config.ts";

type Statistics = BatchNormOptions["statistics"];

/** Pixels (B, C, H, W) → the stem's result and each block's, the last (B, D, h, w). `p` is the scope `vision_model`. */
export function efficientnet(p: Params, config: AlignImageConfig, pixels: Value, statistics: Statistics): Value[] {
  return p.scope(() => {
    const norm = { eps: config.batchNormEps, statistics };
    const stem = p.at("embeddings");
    const x = conv(stem.at("convolution"), padded(pixels, 0, 1), stemWidth(config), { kernel: 3, stride: 2 });
    const states = [swish(batchNorm(stem.at("batchnorm"), x, norm))];
    for (const [i, block] of blocksOf(config).entries())
      states.push(mbConv(p.at(`encoder.blocks.${i}`), states.at(-1)!, block, config.squeezeRatio, norm));
    return states;
  });
}

/** Rows and columns of zeros. */
const padded = (x: Value, before: number, after: number): Value => pad(x, [0, 0, before, before], [0, 0, after, after]);

/** Expansion, depthwise convolution, squeeze and excitation, projection: (B, inputs, H, W) → (B, outputs, H / stride, W / stride). */
function mbConv(p: Params, x: Value, block: Block, squeezeRatio: number, norm: BatchNormOptions): Value {
  const { inputs, outputs, expand, residual } = block;
  return p.scope(() => {
    let y = x;
    if (expand !== 1) {
      const scope = p.at("expansion");
      const wide = conv(scope.at("expand_conv"), y, inputs * expand, { kernel: 1 });
      y = swish(batchNorm(scope.at("expand_bn"), wide, norm));
    }
    const depthwise = p.at("depthwise_conv");
    y = swish(batchNorm(depthwise.at("depthwise_norm"), depthwiseConv(depthwise.at("depthwise_conv"), y, block), norm));
    y = excited(p.at("squeeze_excite"), y, Math.max(1, Math.floor(squeezeRatio * inputs)));
    const projection = p.at("projection");
    const z = batchNorm(
      projection.at("project_bn"),
      conv(projection.at("project_conv"), y, outputs, { kernel: 1 }),
      norm,
    );
    return residual ? add(z, x) : z;
  });
}

/** Each channel by itself; with a stride padded as TensorFlow's "same" pads an even side, unless evenly. */
function depthwiseConv(p: Params, x: Value, { kernel, stride, evenPadding }: Block): Value {
  const channels = x.shape[1]!;
  const half = Math.floor(kernel / 2);
  if (stride === 1) return conv(p, x, channels, { kernel, padding: (kernel - 1) / 2, groups: channels });
  const wide = padded(x, evenPadding ? half : half - 1, half);
  return conv(p, wide, channels, { kernel, stride, groups: channels });
}

/** x times σ of two layers on its mean over places (Hu et al., arXiv:1709.01507). */
function excited(p: Params, x: Value, middle: number): Value {
  return p.scope(() => {
    const channels = x.shape[1]!;
    const squeezed = mean(x, [2, 3], { keep: true });
    const h = swish(conv(p.at("reduce"), squeezed, middle, { kernel: 1, bias: true }));
    return mul(x, sigmoid(conv(p.at("expand"), h, channels, { kernel: 1, bias: true })));
  });
}
