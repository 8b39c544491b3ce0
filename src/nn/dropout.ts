/** Dropout (Srivastava et al., JMLR 15, 2014) in graphs that draw nothing: the host feeds which elements stay. */
import { input, mul, type Value, where } from "../graph/index.ts";
import type { Shape } from "../tensor/index.ts";
import type { Params } from "./params.ts";

/** What is dropped: embeddings and what layers add, or probabilities of attention. */
export type Dropped = "hidden" | "attention";

/** Drops elements of a value; `p` is the scope that it belongs to. Of hidden values unless said. */
export type Drop = (p: Params, x: Value, of?: Dropped) => Value;

/** A mask that a graph asks for. */
export interface DropoutMask {
  readonly shape: Shape;
  /** Of 256: elements of which a random byte is below are dropped. */
  readonly dropped: number;
}

/** A Drop, and the masks that it asks the host for. */
export interface Dropout {
  readonly drop: Drop;
  /** Feeds bool, true where an element stays, by name. Grows as graphs are built. */
  readonly masks: ReadonlyMap<string, DropoutMask>;
}

/** Elements are dropped with probability `rates[of]`, to the nearest 1/256, and the others are divided by what is left. */
export function dropout(rates: Readonly<Record<Dropped, number>>): Dropout {
  const masks = new Map<string, DropoutMask>();
  const drop: Drop = (p, x, of = "hidden") => {
    const dropped = Math.round(rates[of] * 256);
    if (dropped === 0) return x;
    const name = `dropout.${p.path}`;
    masks.set(name, { shape: x.shape, dropped });
    return p.scope(() => where(input(name, x.shape, "bool"), mul(x, 256 / (256 - dropped)), 0));
  };
  return { drop, masks };
}
