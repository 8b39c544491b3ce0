/** UniT's config.json, which nobody else has a class of. */
import type { ConfigJson } from "../model.ts";
import { ownConfigFile } from "../sizes.ts";
import { type UnitConfig, unitConfig } from "./config.ts";

const file = ownConfigFile<UnitConfig>("unit", unitConfig);

/** Whether a config.json is one of a UniT. */
export const isUnitConfig = (json: ConfigJson): boolean => file.is(json);

/** Reads such a config.json. Throws ConfigError for one without the configuration. */
export const fromUnitConfigJson = (json: ConfigJson): UnitConfig => file.from(json);

export const unitConfigJson = (config: UnitConfig): ConfigJson => file.json(config);
