/** SimVLM's config.json, which nobody else has a class of. */
import type { ConfigJson } from "../model.ts";
import { ownConfigFile } from "../sizes.ts";
import { type SimvlmConfig, simvlmConfig } from "./config.ts";

const file = ownConfigFile<SimvlmConfig>("simvlm", simvlmConfig);

/** Whether a config.json is one of a SimVLM. */
export const isSimvlmConfig = (json: ConfigJson): boolean => file.is(json);

/** Reads such a config.json. Throws ConfigError for one without the configuration. */
export const fromSimvlmConfigJson = (json: ConfigJson): SimvlmConfig => file.from(json);

export const simvlmConfigJson = (config: SimvlmConfig): ConfigJson => file.json(config);
