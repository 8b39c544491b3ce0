/**
 * Counter-based random numbers: every draw is a function of (seed, purpose, indexes), so no generator travels and
 * resuming is exact. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 */
import { ConfigError } from "../errors.ts";

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return (aHigh * bHigh + Math.floor(middle / 65536) + ((middle % 65536) + aLow * bHigh) / 65536) >>> 0;
}

/** One block of Philox4x32-10: four unsigned 32-bit numbers from a counter and a key. */
export function philox(counter: Uint32Array, key0: number, key1: number, out: Uint32Array): void {
  let [c0, c1, c2, c3] = [counter[0]!, counter[1]!, counter[2]!, counter[3]!];
  let [k0, k1] = [key0 >>> 0, key1 >>> 0];
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const high1 = mulHigh(M1, c2);
    const low0 = Math.imul(M0, c0) >>> 0;
    const low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** FNV-1a of the UTF-8 bytes of a name, unsigned 32 bits. */
export function fnv1a(name: string | Uint8Array): number {
  const bytes = typeof name === "string" ? new TextEncoder().encode(name) : name;
  let h = 2166136261;
  for (const byte of bytes) h = Math.imul(h ^ byte, 16777619) >>> 0;
  return h;
}

/** A stream of draws. Two streams made from the same arguments give the same numbers. */
export interface Random {
  /** Unsigned 32-bit integer. */
  bits(): number;
  /** Uniform in [0, 1), 32 bits of it. */
  uniform(): number;
  /** Uniform integer in 0..n−1, without bias. */
  integer(n: number): number;
  /** Standard normal (Box–Muller). */
  normal(): number;
}

/** The other half of the key, the same for all streams. */
const KEY = 0x5bd1e995;

/** What seed, a and b stay below: with the number of the block they fill the low key and the counter exactly. */
const LIMITS = { seed: 2 ** 53, a: 2 ** 43, b: 2 ** 32 } as const;

function checkCounter(name: keyof typeof LIMITS, value: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value < LIMITS[name]))
    throw new ConfigError(
      `random: ${name}: expected a whole number from 0 to 2^${Math.log2(LIMITS[name])} - 1, got ${value}`,
    );
}

/**
 * The stream of draws for (seed, purpose, a, b): `purpose` names what they are for ("token-mask"), `a` and `b` are
 * counters such as step and sample (0 ≤ seed < 2⁵³, 0 ≤ a < 2⁴³, 0 ≤ b < 2³²; anything else is a ConfigError).
 * The streams of one purpose never meet in their first 2³² blocks; purposes are distinguished by a 32-bit hash.
 */
export function random(seed: number, purpose: string, a = 0, b = 0): Random {
  checkCounter("seed", seed);
  checkCounter("a", a);
  checkCounter("b", b);
  const [key0, key1] = [(seed ^ fnv1a(purpose)) >>> 0, KEY];
  const high = Math.floor(seed / 2 ** 32) * 2 ** 11 + Math.floor(a / 2 ** 32); // 21 and 11 bits
  const counter = new Uint32Array([0, high, a >>> 0, b >>> 0]);
  const block = new Uint32Array(4);
  let next = 4;
  let spare: number | undefined;

  const bits = (): number => {
    if (next === 4) {
      philox(counter, key0, key1, block);
      counter[0] = counter[0]! + 1; // 2³² blocks of four numbers, then from the start
      next = 0;
    }
    return block[next++]!;
  };
  const uniform = (): number => bits() / 2 ** 32;
  const integer = (n: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const x = bits();
      if (x < limit) return x % n;
    }
  };
  const normal = (): number => {
    if (spare !== undefined) {
      const z = spare;
      spare = undefined;
      return z;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { bits, uniform, integer, normal };
}

/** A permutation of 0..n−1 (Fisher–Yates). */
export function permutation(n: number, rng: Random): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = rng.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
