/** The named sizes of VinVL (arXiv:2101.00529) and of Oscar before it. */
import { type VinvlConfig, vinvlConfig } from "./config.ts";

const tiny = { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32 };

export const vinvlVariants: Readonly<Record<string, VinvlConfig>> = {
  base: vinvlConfig(),
  large: vinvlConfig({ hiddenSize: 1024, layers: 24, heads: 16, intermediateSize: 4096 }),
  oscar: vinvlConfig({ regions: { features: 2048, layerNorm: false }, classes: 2 }),
  small: vinvlConfig({
    ...{ hiddenSize: 192, layers: 6, heads: 3, intermediateSize: 768 },
    text: { vocabSize: 30_522, maxPositions: 128, padTokenId: 0 },
    regions: { features: 108, layerNorm: true },
  }),
  tiny: vinvlConfig({
    ...tiny,
    text: { vocabSize: 40, maxPositions: 24, padTokenId: 0 },
    regions: { features: 12, layerNorm: true },
  }),
};
