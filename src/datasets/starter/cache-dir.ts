/** Where prepared data is kept: below the cache folder that Hugging Face's tools use, so that one setting moves both. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";

/** `<HF_HOME>/flava`, else `<XDG_CACHE_HOME>/huggingface/flava`, else `~/.cache/huggingface/flava`. Throws ConfigError without a home. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env, home: () => string = homedir): string {
  if (env.HF_HOME) return resolve(env.HF_HOME, "flava");
  return resolve(env.XDG_CACHE_HOME || join(homeOf(home), ".cache"), "huggingface", "flava");
}

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
