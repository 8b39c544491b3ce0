/** Where patches are in pictures of several shapes that share a canvas (ViLT, arXiv:2102.03334 §4.1; dandelin/ViLT, visual_embed). */
import {
  abs,
  cast,
  constant,
  div,
  less,
  matmul,
  maximum,
  mul,
  reshape,
  slice,
  sub,
  type Value,
} from "../../graph/index.ts";
import { alignedMatrix } from "../../nn/index.ts";
import { fromNumbers, tensor } from "../../tensor/index.ts";

/** The rows and columns of patches in a canvas. */
export interface Canvas {
  readonly rows: number;
  readonly columns: number;
}

/** A table (g, g, D) resized to the whole canvas, linear between aligned ends: (1, P, D). */
export function canvasPositions(table: Value, { rows, columns }: Canvas): Value {
  const { g, h, D } = table.dims("g h D");
  if (rows === g && columns === h) return reshape(table, [1, rows * columns, D]);
  const matrix = (n: number, m: number): Value => constant(tensor("float64", [m, n], alignedMatrix(n, m)), "float32");
  const tall = reshape(matmul(matrix(g, rows), reshape(table, [g, h * D])), [rows, h, D]);
  return reshape(matmul(matrix(h, columns), tall), [1, rows * columns, D]);
}

/**
 * The same for each picture by itself: `grid` int (B, 2) says how many rows and columns of patches each has, from the canvas's upper left
 * corner. `positions` (B, P, D) are 0 outside a picture, `inside` (B, P) is 1 in it.
 */
export function pictureGrids(
  table: Value,
  grid: Value,
  { rows, columns }: Canvas,
): { readonly positions: Value; readonly inside: Value } {
  const { g, h, D } = table.dims("g h D");
  const B = grid.shape[0]!;
  const size = (axis: number): Value => reshape(cast(slice(grid, 1, axis, axis + 1), table.dtype), [B, 1, 1]);
  const down = along(size(0), rows, g, table);
  const across = along(size(1), columns, h, table);
  const tall = reshape(matmul(down.weights, reshape(table, [1, g, h * D])), [B, rows, h, D]);
  const wide = matmul(reshape(across.weights, [B, 1, columns, h]), tall); // (B, rows, columns, D)
  return {
    positions: reshape(wide, [B, rows * columns, D]),
    inside: reshape(mul(down.inside, reshape(across.inside, [B, 1, columns])), [B, rows * columns]),
  };
}

/**
 * One axis: `size` (B, 1, 1) of its `count` places are inside; place i reads the table at i·(g − 1)/(size − 1), so row r of the table has
 * the weight max(0, 1 − |i·(g − 1)/(size − 1) − r|).
 */
function along(size: Value, count: number, g: number, like: Value): { weights: Value; inside: Value } {
  const numbers = (n: number, shape: number[]): Value =>
    cast(
      constant(
        fromNumbers(
          Array.from({ length: n }, (_, i) => i),
          shape,
        ),
      ),
      like.dtype,
    );
  const places = numbers(count, [1, count, 1]);
  const inside = cast(less(places, size), like.dtype); // (B, count, 1)
  const source = mul(places, div(g - 1, maximum(sub(size, 1), 1)));
  const near = maximum(sub(1, abs(sub(source, numbers(g, [1, 1, g])))), 0); // (B, count, g)
  return { weights: mul(near, inside), inside };
}
