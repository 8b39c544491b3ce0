/** Dropout (Srivastava et al., JMLR 15, 2014) in graphs that draw nothing: the host feeds which elements stay. */
import { input, mul, type Value, where } from "../graph/index.ts";
import type { Shape } from "../tensor/index.ts";
import type { Params } from "./params.ts";

/** Drops elements of a value; `p` is the scope that it belongs to. */
export type Drop = (p: Params, x: Value) => Value;

/** A Drop, and the masks that it asks the host for. */
export interface Dropout {
  readonly drop: Drop;
  /** Feeds bool, true where an element stays, by name. Grows as graphs are built. */
  readonly masks: ReadonlyMap<string, Shape>;
  /** Of 256: elements of which a random byte is below are dropped. */
  readonly dropped: number;
}

/** Elements are dropped with probability `rate`, to the nearest 1/256, and the others are divided by what is left. */
export function dropout(rate: number): Dropout {
  const masks = new Map<string, Shape>();
  const dropped = Math.round(rate * 256);
  const drop: Drop = (p, x) => {
    if (dropped === 0) return x;
    const name = `dropout.${p.path}`;
    masks.set(name, x.shape);
    return p.scope(() => where(input(name, x.shape, "bool"), mul(x, 256 / (256 - dropped)), 0));
  };
  return { drop, masks, dropped };
}
