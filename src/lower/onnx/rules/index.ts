/** The total table: how each primitive becomes ONNX nodes (operator set 21). A missing row does not compile. */
import type { Op } from "../../../graph/index.ts";
import type { Rules } from "../rule.ts";
import { elementwise } from "./elementwise.ts";
import { images } from "./images.ts";
import { indexing } from "./indexing.ts";
import { kernels } from "./kernels.ts";
import { leaves } from "./leaves.ts";
import { structure } from "./structure.ts";

export const rules: Rules<Op> = { ...leaves, ...elementwise, ...structure, ...kernels, ...indexing, ...images };
