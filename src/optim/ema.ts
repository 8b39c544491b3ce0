/** Exponential moving averages of parameters: the dVAE's averaged weights, DINO's teacher. */
import { add, input, mul, sub, type Value } from "../graph/index.ts";

export const emaName = (parameter: string): string => `ema.${parameter}`;

/**
 * Next averages e ← d·e + (1 − d)·p of the named parameters, by state name. `next` holds the parameters after the update;
 * `decay` is a number or a scalar that the host feeds.
 */
export function ema(
  next: Readonly<Record<string, Value>>,
  decay: number | Value,
  name: (parameter: string) => string | undefined = emaName,
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(next).flatMap(([parameter, p]) => {
      const of = name(parameter);
      if (of === undefined) return [];
      const own = mul(p, typeof decay === "number" ? 1 - decay : sub(1, decay));
      return [[of, add(mul(input(of, p.shape), decay), own)]];
    }),
  );
}
