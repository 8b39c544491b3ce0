/** Tells weights apart: a hash of every tensor's name, shape and up to a thousand of its numbers, evenly spaced. */
import type { Tensor } from "../tensor/index.ts";

/** Adds tensors one by one; in another order they give another hash. */
export interface Fingerprint {
  add(name: string, t: Tensor): void;
  /** 16 hexadecimal digits. */
  text(): string;
}

const SAMPLES = 1000;

/** FNV-1a in two halves with different offsets. */
export function fingerprint(): Fingerprint {
  let [a, b] = [0x811c9dc5, 0x01000193];
  const take = (value: number): void => {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul((b ^ (value >>> 7) ^ (value << 11)) | 0, 0x85ebca6b) ^ (a >>> 15);
  };
  return {
    add(name, { shape, data }) {
      for (const char of `${name} ${shape.join("x")}`) take(char.codePointAt(0)!);
      const numbers = data as Float32Array;
      const bits = new Uint32Array(numbers.buffer, numbers.byteOffset, Math.floor(numbers.byteLength / 4));
      const step = Math.max(1, Math.floor(bits.length / SAMPLES));
      for (let i = 0; i < bits.length; i += step) take(bits[i]!);
    },
    text: () => [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join(""),
  };
}
