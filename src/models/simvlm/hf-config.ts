/** SimVLM's config.json. Others have no class of it: the file holds this package's configuration under a type of its own. */
import { ConfigError } from "../../errors.ts";
import type { ConfigJson } from "../model.ts";
import { type SimvlmConfig, type SimvlmConfigInput, simvlmConfig } from "./config.ts";

/** Whether a config.json is one of a SimVLM. */
export const isSimvlmConfig = ({ model_type: type }: ConfigJson): boolean => type === "simvlm";

/** Reads such a config.json. Throws ConfigError for one without the configuration. */
export function fromSimvlmConfigJson({ flava_options: options }: ConfigJson): SimvlmConfig {
  if (typeof options !== "object" || options === null)
    throw new ConfigError("config.json: expected the sizes of a simvlm under flava_options, got none");
  return simvlmConfig(options as SimvlmConfigInput);
}

export const simvlmConfigJson = (config: SimvlmConfig): ConfigJson => ({
  model_type: "simvlm",
  torch_dtype: "float32",
  flava_options: config,
});
