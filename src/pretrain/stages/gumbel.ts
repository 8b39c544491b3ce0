/** Standard Gumbel noise, −ln(−ln u), for relaxed samples: a function of the seed and the step. */
import { philox, random, type Shape, size, type Tensor } from "../../tensor/index.ts";

/** 16 bits of uniform numbers, at the middle of each of 65,536 equal parts: two logarithms a draw would cost more than the step. */
const LEVELS = 1 << 16;
let table: Float32Array | undefined;

const quantiles = (): Float32Array =>
  Float32Array.from({ length: LEVELS }, (_, i) => -Math.log(-Math.log((i + 0.5) / LEVELS)));

/** Independent draws of a shape, quantised to 65,536 equally likely values. */
export function gumbel(seed: number, step: number, shape: Shape): Tensor<"float32"> {
  table ??= quantiles();
  const data = new Float32Array(size(shape));
  const key = random(seed, "gumbel", step);
  const [key0, key1] = [key.bits(), key.bits()];
  const counter = new Uint32Array(4);
  const block = new Uint32Array(4);
  for (let i = 0; i < data.length; i += 8) {
    counter[0] = i;
    philox(counter, key0, key1, block);
    const end = Math.min(8, data.length - i);
    for (let k = 0; k < end; k++) data[i + k] = table[(block[k >> 1]! >>> ((k & 1) * 16)) & (LEVELS - 1)]!;
  }
  return { dtype: "float32", shape: [...shape], data };
}
