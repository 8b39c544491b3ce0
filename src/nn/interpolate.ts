/** Bicubic resizing of position embeddings, as two products with constant matrices (torch's kernel, a = −0.75). */
import { concat, constant, matmul, reshape, slice, type Value } from "../graph/index.ts";
import { tensor } from "../tensor/index.ts";

/**
 * "size": sampling step n/m from the sizes, as Hugging Face does now. "dino": step 1/((m + 0.1)/n), as DINO,
 * torchmultimodal and older versions do; the coordinates differ slightly.
 */
export type Interpolation = "size" | "dino";

const A = -0.75;

/** Weights of the four neighbours at −1, 0, 1, 2 for a sample at fraction t. */
function cubicWeights(t: number): number[] {
  const near = (x: number): number => ((A + 2) * x - (A + 3)) * x * x + 1;
  const far = (x: number): number => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** The m × n matrix, row-major, that resizes n samples to m (align_corners false, edges repeated). */
export function bicubicMatrix(n: number, m: number, kind: Interpolation = "size"): Float64Array {
  const step = kind === "size" ? n / m : n / (m + 0.1);
  const matrix = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    const x = (i + 0.5) * step - 0.5;
    const from = Math.floor(x);
    cubicWeights(x - from).forEach((weight, k) => {
      const j = Math.min(n - 1, Math.max(0, from - 1 + k));
      matrix[i * n + j]! += weight;
    });
  }
  return matrix;
}

/** The m × n matrix, row-major, that resizes n samples to m, linear between aligned ends: row i reads at i·(n − 1)/(m − 1), at 0 if m is 1. */
export function alignedMatrix(n: number, m: number): Float64Array {
  const matrix = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    const x = m === 1 ? 0 : (i * (n - 1)) / (m - 1);
    const from = Math.min(n - 1, Math.floor(x));
    matrix[i * n + from]! += 1 - (x - from);
    if (x > from) matrix[i * n + from + 1]! += x - from;
  }
  return matrix;
}

const resizer = (n: number, m: number, kind: Interpolation): Value =>
  constant(tensor("float64", [m, n], bicubicMatrix(n, m, kind)), "float32");

/** A grid of vectors (h, w, D) resized to (height, width, D). */
export function resizeGrid(grid: Value, height: number, width: number, kind: Interpolation = "size"): Value {
  const { h, w, D } = grid.dims("h w D");
  const rows = matmul(resizer(h, height, kind), reshape(grid, [h, w * D])); // (height, w·D)
  return matmul(resizer(w, width, kind), reshape(rows, [height, w, D])); // (height, width, D)
}

/**
 * Position embeddings (1, 1 + g², D) of a square grid for an image of height × width patches: (1, 1 + height·width, D).
 * The first (CLS) row is kept. The same grid is returned unchanged.
 */
export function interpolatePositions(
  positions: Value,
  height: number,
  width: number,
  kind: Interpolation = "size",
): Value {
  const D = positions.shape[2]!;
  const g = Math.round(Math.sqrt(positions.shape[1]! - 1));
  if (height === g && width === g) return positions;
  const grid = reshape(slice(positions, 1, 1), [g, g, D]);
  const resized = reshape(resizeGrid(grid, height, width, kind), [1, height * width, D]);
  return concat([slice(positions, 1, 0, 1), resized], 1);
}
