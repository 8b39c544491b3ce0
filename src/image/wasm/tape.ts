/** The weights of an axis in the order in which the kernel reads them. */
import type { Axis } from "../filters.ts";

/** Bits of a weight's low half. The high half fits in 16 bits with room to spare: a weight has less than 26. */
export const LOW_BITS = 11;
const LOW = (1 << LOW_BITS) - 1;

/**
 * For each output: the first input that has a weight, the number p of pairs of weights, then p pairs, and a pair of zeros where p is odd. A
 * pair is two numbers, the high halves of its weights and the low ones, 16 bits each, the first weight's below. Weights of 0 at both ends are
 * left out.
 */
export function weightTape({ outputs, taps, first, count, weights }: Omit<Axis, "tape">): Int32Array {
  const tape = new Int32Array(outputs * (taps + 4));
  let place = 0;
  for (let j = 0; j < outputs; j++) {
    const begin = j * taps;
    let [start, end] = [begin, begin + count[j]!];
    while (start < end && weights[start] === 0) start++;
    while (start < end && weights[end - 1] === 0) end--;
    const pairs = (end - start + 1) >> 1;
    tape[place++] = first[j]! + start - begin;
    tape[place++] = pairs;
    for (let k = start; k < end; k += 2) {
      const [a, b] = [weights[k]!, k + 1 < end ? weights[k + 1]! : 0];
      tape[place++] = join(a >> LOW_BITS, b >> LOW_BITS);
      tape[place++] = join(a & LOW, b & LOW);
    }
    if (pairs % 2 === 1) place += 2;
  }
  return tape.slice(0, place);
}

const join = (first: number, second: number): number => (first & 0xffff) | (second << 16);
