/** ResNets of bottlenecks (He et al., arXiv:1512.03385), with torchvision's names and its stride in the 3×3 convolution. */
import { add, maxPool2d, relu, type Value } from "../graph/index.ts";
import { type BatchNormOptions, batchNorm } from "./batch-norm.ts";
import { conv } from "./conv.ts";
import type { Params } from "./params.ts";

/** A bottleneck's result is this many times as wide as its middle. */
const EXPANSION = 4;

type Statistics = BatchNormOptions["statistics"];

export interface BottleneckOptions {
  /** Channels of the result; the middle has a quarter. */
  readonly channels: number;
  readonly stride?: number;
  /** Of the 3×3 convolution. */
  readonly dilation?: number;
  readonly statistics: Statistics;
  /** Whether the input is projected; where its shape changes unless said. */
  readonly project?: boolean;
}

/** relu(BN3(1×1(relu(BN2(3×3(relu(BN1(1×1 x))))))) + shortcut): (B, C, H, W) → (B, channels, H / stride, W / stride). */
export function bottleneck(p: Params, x: Value, options: BottleneckOptions): Value {
  const { channels, stride = 1, dilation = 1, statistics } = options;
  const { project = stride !== 1 || x.shape[1] !== channels } = options;
  return p.scope(() => {
    const middle = channels / EXPANSION;
    const norm = (name: string, y: Value): Value => batchNorm(p.at(name), y, { statistics });
    let y = relu(norm("bn1", conv(p.at("conv1"), x, middle, { kernel: 1 })));
    y = relu(norm("bn2", conv(p.at("conv2"), y, middle, { kernel: 3, stride, dilation, padding: dilation })));
    y = norm("bn3", conv(p.at("conv3"), y, channels, { kernel: 1 }));
    const shortcut = project ? norm("downsample.1", conv(p.at("downsample.0"), x, channels, { kernel: 1, stride })) : x;
    return relu(add(y, shortcut));
  });
}

/** 7×7 convolution of stride 2, BN, relu, 3×3 maximum of stride 2: (B, C, H, W) → (B, width, H / 4, W / 4). */
export function resnetStem(p: Params, x: Value, width: number, statistics: Statistics): Value {
  return p.scope(() => {
    const y = conv(p.at("conv1"), x, width, { kernel: 7, stride: 2, padding: 3 });
    return maxPool2d(relu(batchNorm(p.at("bn1"), y, { statistics })), 3, { stride: 2, padding: 1 });
  });
}

export interface ResnetStageOptions {
  readonly blocks: number;
  /** Of the result. */
  readonly channels: number;
  readonly stride: number;
  /** Instead of a stride of 2, the blocks after the first have 3×3 convolutions of dilation 2 (torchvision's `replace_stride_with_dilation`). */
  readonly dilated?: boolean;
  readonly statistics: Statistics;
}

/** The bottlenecks of a stage in turn; `p` is the scope `layer<n>`. */
export function resnetStage(p: Params, x: Value, options: ResnetStageOptions): Value {
  const { blocks, channels, stride, dilated = false, statistics } = options;
  let y = x;
  for (let i = 0; i < blocks; i++)
    y = bottleneck(p.at(i), y, {
      channels,
      stride: i === 0 && !dilated ? stride : 1,
      dilation: i > 0 && dilated ? 2 : 1,
      statistics,
    });
  return y;
}
