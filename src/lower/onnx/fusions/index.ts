/** All fusions, in the order in which they are tried. */
import type { Fusion } from "../fusion.ts";
import { geluGradient } from "./gelu-gradient.ts";
import { layerNormStats } from "./layer-norm.ts";
import { pointwiseWeightGradient } from "./pointwise-weight-gradient.ts";
import { fusedMatMul, gemm, gemmBias } from "./product.ts";
import { softmaxGradient } from "./softmax-gradient.ts";
import { sumSquare } from "./sum-square.ts";
import { transposedProduct } from "./transposed-product.ts";

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
