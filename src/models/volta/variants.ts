/** The five BERTs with the sub-layers of the controlled study (arXiv:2011.15124, VOLTA's configurations). */
import { lxmertStream, type VoltaConfig, voltaConfig } from "./config.ts";

/** from, from + step, …, up to `to`. */
const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);

/** The variants that recipes name. "base" is UNITER; the last two are what Hugging Face has of LXMERT and VisualBERT. */
export const voltaVariants: Readonly<Record<string, VoltaConfig>> = {
  base: voltaConfig(),
  uniter: voltaConfig(),
  visualbert: voltaConfig({ embeddings: "visualbert" }),
  "vl-bert": voltaConfig({ embeddings: "vl-bert" }),
  vilbert: voltaConfig({
    embeddings: "vilbert",
    control: {
      textText: [...range(0, 8, 2), ...range(10, 34, 4)],
      visionVision: range(14, 34, 4),
      cross: range(12, 32, 4),
      textFeedForward: range(1, 35, 2),
      visionFeedForward: range(13, 35, 2),
      shared: [],
    },
  }),
  lxmert: voltaConfig({ embeddings: "lxmert", control: lxmertStream(9, 5, 5) }),
  "lxmert-base-uncased": voltaConfig({
    ...{ embeddings: "lxmert", pretrainingHeads: "lxmert", control: lxmertStream(9, 5, 5) },
    regions: { classes: 1600, box: 4, mean: false },
  }),
  "visualbert-vqa-coco-pre": voltaConfig({
    ...{ embeddings: "visualbert", pretrainingHeads: "visualbert" },
    regions: { mean: false },
  }),
};
