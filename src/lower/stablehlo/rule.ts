/** The type of a lowering rule. */
import type { Attrs, Op, Value } from "../../graph/index.ts";
import type { Ref, Writer } from "./writer.ts";

/** Writes the operations of one value and gives its ref; `inputs` are the refs of its operands. */
export type Rule<P extends Op> = (w: Writer, value: Value<P>, inputs: readonly Ref[], attrs: Attrs[P]) => Ref;

export type Rules<P extends Op> = { readonly [K in P]: Rule<K> };
