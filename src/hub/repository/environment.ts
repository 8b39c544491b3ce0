/**
 * What the environment says of the Hugging Face Hub, with the names and the precedence of huggingface_hub
 * (https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables).
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ConfigError, FileError } from "../../errors.ts";
import { huggingFaceHome, isSet, systemReason, withHome } from "../../io/index.ts";

type Env = NodeJS.ProcessEnv;

/** `HF_HUB_CACHE`, else `hub/` in `HF_HOME`, in `XDG_CACHE_HOME/huggingface`, or in `~/.cache/huggingface`. */
export function hubCacheDir(env: Env = process.env): string {
  const said = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  return said ? resolve(withHome(said)) : join(huggingFaceHome(env), "hub");
}

/** The Hub. */
export const DEFAULT_ENDPOINT = "https://huggingface.co";

/** `HF_ENDPOINT`, else huggingface.co; without a slash at its end. Throws ConfigError for what is no address. */
export function hubEndpoint(said: string | undefined = process.env.HF_ENDPOINT): string {
  const text = said?.trim() || DEFAULT_ENDPOINT;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return text.replace(/\/+$/, "");
  throw new ConfigError(`HF_ENDPOINT: expected an address such as ${DEFAULT_ENDPOINT}, got ${JSON.stringify(text)}`);
}

/** `HF_HUB_DOWNLOAD_TIMEOUT` in milliseconds: how long a server may be silent. Undefined where it is not set. */
export function hubTimeoutMs({ HF_HUB_DOWNLOAD_TIMEOUT: said }: Env = process.env): number | undefined {
  const seconds = Number(said || Number.NaN);
  return seconds > 0 ? seconds * 1000 : undefined;
}

/** A secret, and where it was found. */
export interface HubToken {
  readonly token: string;
  /** The name of a variable, or a path. */
  readonly from: string;
}

/**
 * `HF_TOKEN`, else the file at `HF_TOKEN_PATH`, else `token` in the Hugging Face folder, where `hf auth login` writes it. Undefined without
 * one, or with `HF_HUB_DISABLE_IMPLICIT_TOKEN`. Throws FileError for a file that cannot be read, ConfigError for what no header can hold.
 */
export async function hubToken(env: Env = process.env): Promise<HubToken | undefined> {
  if (isSet(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  for (const from of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ACCESS_TOKEN"]) {
    const token = checkToken(env[from], from);
    if (token) return { token, from };
  }
  const path = env.HF_TOKEN_PATH ? resolve(withHome(env.HF_TOKEN_PATH)) : join(huggingFaceHome(env), "token");
  const token = checkToken(await readToken(path), path);
  return token ? { token, from: path } : undefined;
}

const readToken = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw new FileError(`${path}: expected a file with a token, got ${systemReason(cause)}`, undefined, { cause });
  });

/** The token without spaces and line ends around it. Its characters are never shown. */
export function checkToken(text: string | undefined, from: string): string | undefined {
  const token = text?.trim() || undefined;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new ConfigError(`${from}: expected a token of one word, got characters that no token has`);
  return token;
}
