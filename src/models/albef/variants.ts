/** The named sizes of ALBEF: that of arXiv:2107.07651 and small ones. */
import { type AlbefConfig, albefConfig } from "./config.ts";

const of = (hiddenSize: number, heads: number) => ({ hiddenSize, heads, intermediateSize: 4 * hiddenSize });

export const albefVariants: Readonly<Record<string, AlbefConfig>> = {
  tiny: albefConfig({
    image: { ...of(64, 2), layers: 2, imageSize: 32, patchSize: 8 },
    text: { ...of(64, 2), layers: 1, fusionLayers: 1, maxPositions: 32 },
    projectionDim: 32,
  }),
  small: albefConfig({
    image: { ...of(192, 3), layers: 4, imageSize: 64, patchSize: 8 },
    text: { ...of(192, 3), layers: 2, fusionLayers: 2, maxPositions: 77 },
    projectionDim: 96,
  }),
  base: albefConfig(),
};
