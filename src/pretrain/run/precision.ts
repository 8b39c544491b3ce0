/** What a recipe's `dtype` means for its steps. */
import type { PrecisionOptions } from "../../graph/passes/index.ts";
import type { Recipe } from "../recipe/index.ts";

/** Products in bfloat16 whose results are kept in it, as under PyTorch's autocast; undefined: all in float32. */
export const precisionOf = ({ dtype }: Pick<Recipe, "dtype">): PrecisionOptions | undefined =>
  dtype === "bf16" ? { results: "bfloat16" } : undefined;
