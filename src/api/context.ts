/** What evaluators and pictures look at: a model whose parameters are in the engine, and how its inputs are made. */

import type { FlavaConfig } from "../models/flava/config.ts";
import type { Recipe } from "../pretrain/recipe/types.ts";
import type { Device, State } from "../runtime/index.ts";
import type { TextTokenizer } from "../text/index.ts";

export interface EvaluationContext {
  readonly recipe: Recipe;
  /** With the vocabulary sizes of the run: a reduced vocabulary changes `text.vocabSize`. */
  readonly model: FlavaConfig;
  readonly device: Device;
  /** Parameters by checkpoint name: `compile(graph, device, { state })` reads them where they lie. */
  readonly state: State;
  readonly tokenizer: TextTokenizer;
  readonly signal?: AbortSignal | undefined;
}
