/** bfloat16: the upper half of a float32, with 8 significant bits. Rounding is to nearest, ties to even. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest bfloat16, as a number. A float64 is rounded to float32 first, as engines do. */
export function roundToBfloat16(x: number): number {
  float[0] = x;
  if (Number.isNaN(float[0])) return Number.NaN;
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return float[0]!;
}
