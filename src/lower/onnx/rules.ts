/** The total table: how each primitive becomes ONNX nodes (operator set 21). A missing row does not compile. */
import type { Op } from "../../graph/index.ts";
import type { Rules } from "./rule.ts";
import { elementwise } from "./rules/elementwise.ts";
import { images } from "./rules/images.ts";
import { indexing } from "./rules/indexing.ts";
import { kernels } from "./rules/kernels.ts";
import { leaves } from "./rules/leaves.ts";
import { structure } from "./rules/structure.ts";

export const rules: Rules<Op> = { ...leaves, ...elementwise, ...structure, ...kernels, ...indexing, ...images };
