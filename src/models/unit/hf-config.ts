/** UniT's config.json. Hugging Face has no class of it: the file holds this package's configuration under a type of its own. */
import { ConfigError } from "../../errors.ts";
import type { ConfigJson } from "../model.ts";
import { type UnitConfig, type UnitConfigInput, unitConfig } from "./config.ts";

/** Whether a config.json is one of a UniT. */
export const isUnitConfig = ({ model_type: type }: ConfigJson): boolean => type === "unit";

/** Reads such a config.json. Throws ConfigError for one without the configuration. */
export function fromUnitConfigJson({ flava_options: options }: ConfigJson): UnitConfig {
  if (typeof options !== "object" || options === null)
    throw new ConfigError("config.json: expected the sizes of a unit under flava_options, got none");
  return unitConfig(options as UnitConfigInput);
}

export const unitConfigJson = (config: UnitConfig): ConfigJson => ({
  model_type: "unit",
  torch_dtype: "float32",
  flava_options: config,
});
