/** Where prepared data is kept: below the cache folder that Hugging Face's tools use, so that one setting moves both. */
import { join } from "node:path";
import { huggingFaceHome } from "../../io/index.ts";

/** `<HF_HOME>/flava`, else `<XDG_CACHE_HOME>/huggingface/flava`, else `~/.cache/huggingface/flava`. Throws ConfigError without a home. */
export const defaultCacheDir = (env?: NodeJS.ProcessEnv, home?: () => string): string =>
  join(huggingFaceHome(env, home), "flava");
