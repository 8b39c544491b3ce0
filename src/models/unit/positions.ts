/** Positions of places as sines and cosines (DETR, arXiv:2005.12872; MMF's PositionEmbeddingSine). */
import { type Tensor, tensor } from "../../tensor/index.ts";

const TEMPERATURE = 10_000;
const EPS = 1e-6;

/**
 * (B, h·w, D): D/2 numbers of the row, then as many of the column. `keep` (B, h, w) says which places belong to a picture: rows and columns are
 * counted over those, as shares of a turn.
 */
export function sinePositions(keep: Tensor, D: number): Tensor<"float64"> {
  const [B, h, w] = keep.shape as [number, number, number];
  const seen = (b: number, y: number, x: number): number => (keep.data[(b * h + y) * w + x] ? 1 : 0);
  const data = new Float64Array(B * h * w * D);
  for (let b = 0; b < B; b++) {
    const down = count(h, w, (y, x) => seen(b, y, x));
    const across = count(w, h, (x, y) => seen(b, y, x));
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const place = ((b * h + y) * w + x) * D;
        waves(data, place, D / 2, down[x]![y]!);
        waves(data, place + D / 2, D / 2, across[y]![x]!);
      }
  }
  return tensor("float64", [B, h * w, D], data);
}

/** For each of `lines` lines the running count along `length` places, as shares of 2π. */
function count(length: number, lines: number, seen: (at: number, line: number) => number): number[][] {
  return Array.from({ length: lines }, (_, line) => {
    let sum = 0;
    const counts = Array.from({ length }, (_, at) => (sum += seen(at, line)));
    return counts.map((n) => (n / (sum + EPS)) * 2 * Math.PI);
  });
}

/** Sines and cosines of one angle, slower and slower, in turn. */
function waves(to: Float64Array, at: number, width: number, angle: number): void {
  for (let i = 0; i < width; i++) {
    const slow = angle / TEMPERATURE ** ((2 * Math.floor(i / 2)) / width);
    to[at + i] = i % 2 === 0 ? Math.sin(slow) : Math.cos(slow);
  }
}
