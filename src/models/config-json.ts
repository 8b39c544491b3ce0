/** The text of a config.json, as transformers reads it. */
import type { ConfigJson } from "./model.ts";

/**
 * The fields that transformers 5 takes as floats only: it refuses a whole number without a point.
 * test/golden/huggingface/flava.json has the types of FLAVA's.
 */
const FLOAT_FIELDS: ReadonlySet<string> = new Set([
  ...[
    "layer_norm_eps",
    "initializer_range",
    "initializer_factor",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
  ],
  ...["logit_scale_init_value", "temperature_init_value", "global_contrastive_weight"],
  ...["mim_weight", "mlm_weight", "itm_weight", "mmm_image_weight", "mmm_text_weight"],
  // ALIGN's EfficientNet.
  ...["width_coefficient", "depth_coefficient", "squeeze_expansion_ratio", "batch_norm_eps", "batch_norm_momentum"],
]);

/** The text of a config.json, floats written as Python reads them: `1.0`. */
export const huggingFaceJson = (config: ConfigJson): string =>
  `${JSON.stringify(config, null, 2).replace(/^( *"(\w+)": -?\d+)(?=,?$)/gm, (line, start: string, key: string) =>
    FLOAT_FIELDS.has(key) ? `${start}.0` : line,
  )}\n`;
