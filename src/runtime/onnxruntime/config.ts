/** Options of a session: checked, and turned into the configuration entries of ONNX Runtime that they stand for. */
import { ConfigError } from "../../errors.ts";
import type { OrtSessionOptions } from "./engine.ts";

/** Entries by key; those of `options.config` win. */
export function configEntries(options: OrtSessionOptions): Record<string, string> {
  const { spin } = options;
  return {
    "session.intra_op.allow_spinning": spin === false ? "0" : "1",
    "session.force_spinning_stop": spin === undefined ? "1" : "0",
    ...options.config,
  };
}

/** Throws ConfigError for options that the engine would not refuse itself. */
export function checkOptions(where: string, options: OrtSessionOptions): void {
  for (const key of ["threads", "interOpThreads"] as const) {
    const value = options[key];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new ConfigError(`${where}: ${key}: expected a whole number from 1, got ${value}`);
  }
}

/** The levels of rewriting by their names in the JavaScript API. */
export const LEVELS = { none: "disabled", basic: "basic", extended: "extended", all: "all" } as const;
