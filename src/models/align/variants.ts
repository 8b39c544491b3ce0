/** The named sizes of ALIGN: align-base, Google's largest as it is remembered, and small ones. */
import { type AlignConfig, type AlignConfigInput, alignConfig } from "./config.ts";

/** Width and depth of the EfficientNets (arXiv:1905.11946; those between B0 and B7 as they are remembered). */
export const efficientnets: Readonly<Record<string, readonly [width: number, depth: number]>> = {
  b0: [1, 1],
  b1: [1, 1.1],
  b2: [1.1, 1.2],
  b3: [1.2, 1.4],
  b4: [1.4, 1.8],
  b5: [1.6, 2.2],
  b6: [1.8, 2.6],
  b7: [2, 3.1],
  l2: [4.3, 5.3],
};

const [width, depth] = efficientnets.l2!;

/** A tower of three stages, 8 times smaller than its pictures. */
const few = (imageSize: number, channels: readonly [number, number, number]): AlignConfigInput["image"] => ({
  ...{ imageSize, widthCoefficient: 1, depthCoefficient: 1 },
  kernelSizes: [3, 3, 5],
  inChannels: [32, channels[0], channels[1]],
  outChannels: channels,
  strides: [1, 2, 2],
  repeats: [1, 2, 2],
  expandRatios: [1, 4, 4],
});

/** "base" is align-base: EfficientNet-B7 and BERT base. */
export const alignVariants: Readonly<Record<string, AlignConfig>> = {
  tiny: alignConfig({
    image: few(32, [16, 24, 40]),
    text: { hiddenSize: 64, layers: 2, heads: 2, intermediateSize: 128, maxPositions: 32 },
  }),
  small: alignConfig({
    image: few(64, [24, 48, 96]),
    text: { hiddenSize: 192, layers: 4, heads: 3, intermediateSize: 768, maxPositions: 77 },
  }),
  base: alignConfig(),
  "align-l2": alignConfig({
    image: { widthCoefficient: width, depthCoefficient: depth },
    text: { hiddenSize: 1024, layers: 24, heads: 16, intermediateSize: 4096, vocabSize: 100_000 },
  }),
};
