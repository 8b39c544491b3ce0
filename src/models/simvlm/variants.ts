/** The named sizes of SimVLM: those of arXiv:2108.10904 as they are remembered, and small ones. */
import { type SimvlmConfig, simvlmConfig } from "./config.ts";

const layers = (count: number) => ({ encoderLayers: count, decoderLayers: count });

/** ResNet-101's stages in base, ResNet-152's in large; huge has wider ones, of a width that is not known. */
export const simvlmVariants: Readonly<Record<string, SimvlmConfig>> = {
  tiny: simvlmConfig({
    image: { stem: "patchify", imageSize: 32, patchSize: 8, stemWidth: 16, blocks: [32, 64] },
    text: { maxPositions: 32 },
    ...{ hiddenSize: 64, heads: 2, intermediateSize: 128, ...layers(2) },
  }),
  small: simvlmConfig({
    image: { stem: "patchify", imageSize: 64, patchSize: 8, stemWidth: 32, blocks: [128, 192] },
    text: { maxPositions: 77 },
    ...{ hiddenSize: 192, heads: 3, intermediateSize: 768, ...layers(4) },
  }),
  base: simvlmConfig(),
  "simvlm-large": simvlmConfig({
    image: { stages: [3, 8, 36] },
    ...{ hiddenSize: 1024, heads: 16, intermediateSize: 4096, ...layers(24) },
  }),
};
