/** Where prepared data is kept: below the cache folder that Hugging Face's tools use, so that one setting moves both. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** `<HF_HOME>/flava`, else `<XDG_CACHE_HOME>/huggingface/flava`, else `~/.cache/huggingface/flava`. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(env.HF_HOME || join(cache, "huggingface"), "flava");
}
