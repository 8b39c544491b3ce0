/** How far the colours of one picture are from those of another, and the plainest pictures to compare with. */
import { lab } from "../image/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Red, green and blue planes of a square picture in 0..1, each `side` × `side`. */
export interface Planes {
  readonly side: number;
  readonly data: Float32Array;
}

/** One picture of a batch (B, 3, S, S). */
export function planesOf({ shape, data }: Tensor, at: number): Planes {
  const side = shape[3]!;
  const size = 3 * side * side;
  return { side, data: (data as Float32Array).subarray(at * size, (at + 1) * size) };
}

/** Means over pixels of the parts of ΔE*ab (CIE 1976): √(Δa*² + Δb*²) and |ΔL*|. */
export function colourErrors(a: Planes, b: Planes): { readonly colour: number; readonly lightness: number } {
  const area = a.side ** 2;
  let [colour, lightness] = [0, 0];
  for (let i = 0; i < area; i++) {
    const [l, x, y] = lab(a.data[i]!, a.data[area + i]!, a.data[2 * area + i]!);
    const [m, u, v] = lab(b.data[i]!, b.data[area + i]!, b.data[2 * area + i]!);
    lightness += Math.abs(l - m);
    colour += Math.hypot(x - u, y - v);
  }
  return { colour: colour / area, lightness: lightness / area };
}

/** The picture with each square of `size` × `size` pixels in the mean of its colours. */
export function evened({ side, data }: Planes, size: number): Planes {
  const out = new Float32Array(data.length);
  for (let c = 0; c < 3; c++)
    for (let top = 0; top < side; top += size)
      for (let left = 0; left < side; left += size) {
        const rows = Array.from({ length: size }, (_, y) => (c * side + top + y) * side + left);
        const sum = rows.reduce((n, at) => data.subarray(at, at + size).reduce((m, v) => m + v, n), 0);
        for (const at of rows) out.fill(sum / size ** 2, at, at + size);
      }
  return { side, data: out };
}
