/** The named sizes of UniT: MMF's model of eight data sets, and small ones. */
import { type UnitConfig, unitConfig } from "./config.ts";

const small = (hiddenSize: number, heads: number, layers: number) => ({
  ...{ hiddenSize, heads, layers, intermediateSize: 4 * hiddenSize },
});

/** Boxes of shapes, and whether a text belongs to a picture. */
const tasks = {
  shapes: { kind: "detection", index: 0, labels: 6, queries: 6 },
  matching: { kind: "vl", index: 9, labels: 2, queries: 2, tokens: "all" },
} as const;

export const unitVariants: Readonly<Record<string, UnitConfig>> = {
  tiny: unitConfig({
    image: { ...small(32, 2, 2), imageSize: 32, width: 8, stages: [1, 1, 1, 1], frozenStem: false },
    text: { ...small(64, 2, 2), maxPositions: 32 },
    decoder: small(32, 2, 2),
    tasks,
  }),
  small: unitConfig({
    image: { ...small(96, 4, 3), imageSize: 64, width: 16, stages: [1, 1, 2, 1], frozenStem: false },
    text: { ...small(192, 3, 4), maxPositions: 77 },
    decoder: small(192, 4, 3),
    tasks,
  }),
  base: unitConfig(),
};
