/** What several kinds of stages share in evaluation and pictures. */
import { createKnn, type EvaluationContext, type Evaluator } from "../../evaluators/index.ts";
import type { ModelGraph } from "../../models/index.ts";
import type { HeldOut } from "./stage.ts";

/** A line for the run's notes where hidden patches cannot be shown. */
export const NO_DECODER = "no pictures of hidden patches: the codebook came without its decoder";

/** k-NN by the image encoder, where the recipe has labelled images. */
export const knn = (
  context: EvaluationContext,
  { labelled }: HeldOut,
  asked: { readonly features?: (batch: number, scope?: string) => ModelGraph; readonly scope?: string } = {},
): Evaluator | undefined => labelled && createKnn(context, { ...labelled, ...asked });
