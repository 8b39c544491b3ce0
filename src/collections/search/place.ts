/** Where indexes lie of folders that cannot be written to. */
import { homedir } from "node:os";
import { join } from "node:path";

/** `<HF_HOME>/flava/indexes`, else below `<XDG_CACHE_HOME>/huggingface`, else below `~/.cache/huggingface`. */
export function indexCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const { HF_HOME, XDG_CACHE_HOME } = env;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  return join(home, "flava", "indexes");
}
