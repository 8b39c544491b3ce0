/** The type of a lowering rule. */
import type { Attrs, Op, Value } from "../../graph/index.ts";
import type { Type } from "./types.ts";
import type { Ref, Writer } from "./writer.ts";

/**
 * Writes the operations of one value and gives its ref; `inputs` are the refs of its operands. `result` is what a product is to
 * be: the value's own type, or bfloat16 where every reader would round it at once.
 */
export type Rule<P extends Op> = (
  w: Writer,
  value: Value<P>,
  inputs: readonly Ref[],
  attrs: Attrs[P],
  result: Type,
) => Ref;

export type Rules<P extends Op> = { readonly [K in P]: Rule<K> };
