/** Where Hugging Face's tools keep things on this computer, and whether they may use the network: their variables, read as they do. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigError } from "../errors.ts";

/** `HF_HOME`, else `<XDG_CACHE_HOME>/huggingface`, else `~/.cache/huggingface`. Throws ConfigError without a home. */
export function huggingFaceHome(env: NodeJS.ProcessEnv = process.env, home: () => string = homedir): string {
  if (env.HF_HOME) return resolve(withHome(env.HF_HOME, home));
  if (env.XDG_CACHE_HOME) return resolve(withHome(env.XDG_CACHE_HOME, home), "huggingface");
  return join(homeOf(home), ".cache", "huggingface");
}

/** `<HF_HOME>/flava`, else `<XDG_CACHE_HOME>/huggingface/flava`, else `~/.cache/huggingface/flava`. Throws ConfigError without a home. */
export const flavaCache = (env?: NodeJS.ProcessEnv, home?: () => string): string =>
  join(huggingFaceHome(env, home), "flava");

/** A path with `~` at its beginning replaced: variables that come from a file are seen by no shell. */
export const withHome = (path: string, home: () => string = homedir): string =>
  /^~([/\\]|$)/.test(path) ? join(homeOf(home), path.slice(1)) : path;

/** Whether `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` forbids the network. */
export const isOffline = ({ HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE }: NodeJS.ProcessEnv = process.env): boolean =>
  isSet(HF_HUB_OFFLINE) || isSet(TRANSFORMERS_OFFLINE);

/** Whether a variable says yes. */
export const isSet = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value?.trim() ?? "");

/** Node asks the system for the home of the user where HOME is not set, and throws where that user has no entry. */
function homeOf(home: () => string): string {
  try {
    return home();
  } catch (cause) {
    const got = `none (${(cause as Error).message})`;
    throw new ConfigError(`the cache: expected a home folder, got ${got}`, "set HF_HOME, or give --cache-dir", {
      cause,
    });
  }
}
