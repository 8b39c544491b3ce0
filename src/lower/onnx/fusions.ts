/** All fusions, in the order in which they are tried. */
import type { Fusion } from "./fusion.ts";
import { geluGradient } from "./fusions/gelu-gradient.ts";
import { layerNormStats } from "./fusions/layer-norm.ts";
import { fusedMatMul, gemm, gemmBias } from "./fusions/product.ts";
import { softmaxGradient } from "./fusions/softmax-gradient.ts";
import { transposedProduct } from "./fusions/transposed-product.ts";

export const allFusions: readonly Fusion[] = [
  gemmBias,
  transposedProduct,
  gemm,
  fusedMatMul,
  layerNormStats,
  geluGradient,
  softmaxGradient,
];
