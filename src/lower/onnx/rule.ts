/** The type of a lowering rule, and the few forms that many rules share. */
import type { Attrs, Op, Value } from "../../graph/index.ts";
import type { Emitter } from "./emitter.ts";

/** Writes the nodes of one value and gives the name of its tensor; `inputs` are the names of its operands. */
export type Rule<P extends Op> = (e: Emitter, value: Value<P>, inputs: readonly string[], attrs: Attrs[P]) => string;

export type Rules<P extends Op> = { readonly [K in P]: Rule<K> };

/** A rule that is one node with the same operands and no attributes. */
export const one =
  (op: string): ((e: Emitter, value: Value, inputs: readonly string[]) => string) =>
  (e, _, inputs) =>
    e.node(op, inputs);

export const swapLastTwo = (rank: number): number[] => {
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.push(perm.splice(-2, 1)[0]!);
  return perm;
};
