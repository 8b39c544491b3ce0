/** DINO's projection head (Caron et al., arXiv:2104.14294 §3.1 and appendix C). */
import { div, matmul, mul, sqrt, stopGradient, sum, type Value } from "../../graph/index.ts";
import { l2Normalize, mlp, normal, ones, type Params, truncatedNormal } from "../../nn/index.ts";

/** Sizes of the projection head. */
export interface DinoHeadConfig {
  /** Width of the hidden layers. */
  readonly hiddenSize: number;
  /** Width before the last layer. */
  readonly bottleneckSize: number;
  /** K: number of prototypes. */
  readonly outputSize: number;
  /** Whether the gain of the last layer's weight normalisation stays at 1. */
  readonly normLastLayer: boolean;
}

/** The published head. */
export const dinoHeadConfig: DinoHeadConfig = {
  hiddenSize: 2048,
  bottleneckSize: 256,
  outputSize: 65536,
  normLastLayer: true,
};

/**
 * Rows (R, D) → scores of prototypes (R, K): three linear layers with GELU, length 1, and a linear layer without bias whose
 * rows are weight-normalised, g·v/‖v‖ (Salimans & Kingma, arXiv:1602.07868). Names are those of DINO's checkpoints.
 */
export function dinoHead(p: Params, rows: Value, config: DinoHeadConfig): Value {
  return p.scope(() => {
    const { hiddenSize, bottleneckSize, outputSize: K, normLastLayer } = config;
    const layers = p.withWeights(truncatedNormal(0.02)).at("mlp");
    const x = l2Normalize(mlp(layers, rows, [hiddenSize, hiddenSize, bottleneckSize])); // (R, bottleneck)
    const last = p.at("last_layer");
    const v = last.get("weight_v", [K, bottleneckSize], normal(0.02)); // only its direction matters
    const g = last.get("weight_g", [K, 1], ones);
    const gain = normLastLayer ? stopGradient(g) : g;
    const weight = mul(v, div(gain, sqrt(sum(mul(v, v), [1], { keep: true }))));
    return matmul(x, weight, { transposeB: true });
  });
}
