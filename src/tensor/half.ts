/** The two 16-bit floats to float32, which holds every one of their values, and back, to nearest with ties to even. */

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The float32 bits of all 65,536 halves: filled at the first use. */
const HALVES = new Uint32Array(1 << 16);

function fillHalves(): void {
  for (let half = 0; half < HALVES.length; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    scratch[0] = fraction * 2 ** -24;
    if (exponent === 0) HALVES[half] = sign | scratchBits[0]!;
    else HALVES[half] = sign | ((exponent === 0x1f ? 0xff : exponent + 112) << 23) | (fraction << 13);
  }
}

/** IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. */
export function halfToFloat(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  widenHalves(bits, new Uint32Array(out.buffer), 0);
  return out;
}

/** bfloat16: the upper half of float32. */
export function bfloat16ToFloat(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  widenBfloat16(bits, new Uint32Array(out.buffer), 0);
  return out;
}

/** Halves to the bits of float32 in `out`, from place `at` on. */
export function widenHalves(bits: Uint16Array, out: Uint32Array, at: number): void {
  if (HALVES[0x3c00] === 0) fillHalves();
  for (let i = 0; i < bits.length; i++) out[at + i] = HALVES[bits[i]!]!;
}

/** bfloat16 to the bits of float32 in `out`, from place `at` on. */
export function widenBfloat16(bits: Uint16Array, out: Uint32Array, at: number): void {
  for (let i = 0; i < bits.length; i++) out[at + i] = bits[i]! << 16;
}

/** The nearest halves. What is beyond 65,504 becomes infinite, what is below 2⁻²⁵ becomes zero. */
export function floatToHalf(values: Float32Array): Uint16Array {
  const bits = bitsOf(values);
  const out = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    if (magnitude > 0x7f800000) out[i] = sign | 0x7e00;
    else if (magnitude >= 0x477ff000) out[i] = sign | 0x7c00;
    else if (magnitude < 0x38800000) out[i] = sign | roundToEven(Math.abs(values[i]!) * 2 ** 24);
    else out[i] = sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
  }
  return out;
}

/** The nearest bfloat16s. */
export function floatToBfloat16(values: Float32Array): Uint16Array {
  const bits = bitsOf(values);
  const out = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const one = bits[i]!;
    const nan = (one & 0x7fffffff) > 0x7f800000;
    out[i] = nan ? (one >>> 16) | 0x40 : (one + 0x7fff + ((one >>> 16) & 1)) >>> 16;
  }
  return out;
}

const bitsOf = ({ buffer, byteOffset, length }: Float32Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length);

function roundToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}
