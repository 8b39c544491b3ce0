/** The total table: how each primitive becomes StableHLO operations (version 1.0 and later). A missing row does not compile. */
import type { Op } from "../../../graph/index.ts";
import type { Rules } from "../rule.ts";
import { collectives } from "./collectives.ts";
import { elementwise } from "./elementwise.ts";
import { images } from "./images.ts";
import { indexing } from "./indexing.ts";
import { kernels } from "./kernels.ts";
import { structure } from "./structure.ts";

/** Inputs are the function's parameters: lower.ts names them. */
export const rules: Rules<Exclude<Op, "input">> = {
  ...elementwise,
  ...structure,
  ...kernels,
  ...indexing,
  ...images,
  ...collectives,
};
