/** Colours as people see their differences: CIELAB (CIE 1976) of sRGB (IEC 61966-2-1), white point D65. */

const linear = (v: number): number => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

/** The linear form at 4096 steps: a power a channel would cost more than everything else. Its error is below 0.05 in L*, a*, b*. */
const STEPS = 4095;
let table: Float64Array | undefined;

/** The cube root, straight near 0. */
const root = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : (t * 24389) / 27 / 116 + 16 / 116);

/** L* 0..100, a* and b* of three channels in 0..1; what lies outside is clamped. */
export function lab(r: number, g: number, b: number): [lightness: number, a: number, b: number] {
  table ??= Float64Array.from({ length: STEPS + 1 }, (_, i) => linear(i / STEPS));
  const [R, G, B] = [step(r, table), step(g, table), step(b, table)];
  const x = root((0.4124564 * R + 0.3575761 * G + 0.1804375 * B) / 0.95047);
  const y = root(0.2126729 * R + 0.7151522 * G + 0.072175 * B);
  const z = root((0.0193339 * R + 0.119192 * G + 0.9503041 * B) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const step = (v: number, values: Float64Array): number => values[Math.round(Math.min(1, Math.max(0, v)) * STEPS)]!;
