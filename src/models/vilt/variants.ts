/** The named sizes of ViLT: that of arXiv:2102.03334 and small ones. */
import { type ViltConfig, viltConfig } from "./config.ts";

export const viltVariants: Readonly<Record<string, ViltConfig>> = {
  tiny: viltConfig({
    ...{ hiddenSize: 64, layers: 2, heads: 2, intermediateSize: 128 },
    image: { imageSize: 32, patchSize: 8 },
    text: { maxPositions: 32 },
  }),
  small: viltConfig({
    ...{ hiddenSize: 192, layers: 4, heads: 3, intermediateSize: 768 },
    image: { imageSize: 64, patchSize: 8 },
  }),
  base: viltConfig(),
};
