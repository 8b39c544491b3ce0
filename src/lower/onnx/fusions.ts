/** All fusions, in the order in which they are tried. */
import type { Fusion } from "./fusion.ts";
import { layerNormStats } from "./fusions/layer-norm.ts";
import { fusedMatMul, gemm, gemmBias } from "./fusions/product.ts";

export const allFusions: readonly Fusion[] = [gemmBias, gemm, fusedMatMul, layerNormStats];
