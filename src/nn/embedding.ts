/** Look-up tables of vectors. */
import { equal, gather, reshape, stopGradient, type Value, where } from "../graph/index.ts";
import type { Params } from "./params.ts";

interface EmbeddingOptions {
  /** The row of this id starts at zero and never receives gradient. */
  paddingId?: number;
}

/** Rows of `weight` (count, D) at ids (…) of whole numbers → (…, D). */
export function embedding(
  p: Params,
  ids: Value,
  count: number,
  width: number,
  { paddingId }: EmbeddingOptions = {},
): Value {
  return p.scope(() => {
    const init =
      paddingId !== undefined && p.weightInit.kind === "normal"
        ? { ...p.weightInit, zeroRow: paddingId }
        : p.weightInit;
    const rows = gather(p.get("weight", [count, width], init), ids);
    if (paddingId === undefined) return rows;
    const isPadding = reshape(equal(ids, paddingId), [...ids.shape, 1]);
    return where(isPadding, stopGradient(rows), rows);
  });
}
