/** The number generator of the golden vectors: FNV-1a seeds a 32-bit linear congruential stream. */
import { fnv1a, type Shape, size, type Tensor, tensor } from "../../src/tensor/index.ts";

/** lo + (hi − lo)·u row by row, u from the stream of `name`, in float64. */
export function golden(name: string, shape: Shape, low: number, high: number): Tensor<"float64"> {
  let x = fnv1a(name);
  const data = Float64Array.from({ length: size(shape) }, () => {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    return low + (high - low) * (x / 2 ** 32);
  });
  return tensor("float64", shape, data);
}

const isLayerNormWeight = (name: string): boolean =>
  name.endsWith(".weight") && /^layernorm/i.test(name.split(".").at(-2) ?? "");

/** The golden value of a parameter of the tiny model, by its checkpoint name. */
export function goldenParameter(name: string, shape: Shape): Tensor<"float64"> {
  if (name.endsWith("logit_scale")) return tensor("float64", [], Float64Array.of(2.6592));
  return isLayerNormWeight(name) ? golden(name, shape, 0.8, 1.2) : golden(name, shape, -0.3, 0.3);
}
