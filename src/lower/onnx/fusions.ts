/** All fusions, in the order in which they are tried. */
import type { Fusion } from "./fusion.ts";
import { geluGradient } from "./fusions/gelu-gradient.ts";
import { layerNormStats } from "./fusions/layer-norm.ts";
import { pointwiseWeightGradient } from "./fusions/pointwise-weight-gradient.ts";
import { fusedMatMul, gemm, gemmBias } from "./fusions/product.ts";
import { softmaxGradient } from "./fusions/softmax-gradient.ts";
import { sumSquare } from "./fusions/sum-square.ts";
import { transposedProduct } from "./fusions/transposed-product.ts";

export const allFusions: readonly Fusion[] = [
  gemmBias,
  transposedProduct,
  gemm,
  fusedMatMul,
  layerNormStats,
  geluGradient,
  softmaxGradient,
  sumSquare,
  pointwiseWeightGradient,
];
