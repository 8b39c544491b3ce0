/** Where files are kept, whether they can be, and whether new ones can be fetched. */
import { access, constants, lstat, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { defaultCacheDir, findStarter } from "../../datasets/starter/index.ts";
import { FileError } from "../../errors.ts";
import { type HubToken, hubCacheDir, hubEndpoint, hubToken } from "../../hub/index.ts";
import { freeBytes, isOffline, statOf, systemReason, writeError } from "../../io/index.ts";
import { formatBytes } from "../progress.ts";
import { type Finding, failed } from "./finding.ts";

type Env = NodeJS.ProcessEnv;

/** The calls that tests put others in place of. */
export interface PlaceCalls {
  readonly freeBytes: typeof freeBytes;
  readonly writeFile: (path: string, data: string) => Promise<void>;
  readonly fetch: typeof fetch;
}

const CALLS: PlaceCalls = { freeBytes, writeFile, fetch };

/** With less nothing can be downloaded; with less than the second not facebook/flava-full. */
const [NO_SPACE, LITTLE_SPACE] = [64 * 2 ** 20, 2 * 2 ** 30];

/** The Hub's cache: its place, size, rights, and the room that is left. */
export async function cacheFindings(env: Env, calls: PlaceCalls = CALLS): Promise<Finding[]> {
  const dir = hubCacheDir(env);
  const other = "choose another place with HF_HUB_CACHE or HF_HOME";
  let cache: Finding;
  try {
    const found = await cacheSize(dir);
    await checkWritable(dir, calls);
    cache = { name: "cache", status: "ok", found: `${dir}: ${found}` };
  } catch (error) {
    cache = failed("cache", "broken", error, other);
  }
  const free = await calls.freeBytes(dir);
  const left = free === undefined ? "the system does not say what is free" : `${formatBytes(free)} free`;
  const where = { name: "disk", found: `${left} for ${dir}` };
  const help = `free some space, or ${other}`;
  if (free !== undefined && free < NO_SPACE) return [cache, { ...where, status: "broken", help }];
  if (free !== undefined && free < LITTLE_SPACE) return [cache, { ...where, status: "warning", help }];
  return [cache, { ...where, status: "ok" }];
}

async function cacheSize(dir: string): Promise<string> {
  const found = await statOf(dir);
  if (!found) {
    await access(dir).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw unreadable(dir, cause);
    });
    return "not there yet";
  }
  if (!found.isDirectory()) throw new FileError(`${dir}: expected a folder, got a file`);
  const names = await readdir(dir, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(cause.path ?? dir, cause);
  });
  let [bytes, half] = [0, 0];
  for (const name of names) {
    const entry = await lstat(join(dir, name)).catch(() => undefined); // gone meanwhile
    if (entry?.isFile()) bytes += entry.size;
    if (entry?.isFile() && name.endsWith(".incomplete")) half++;
  }
  const models = names.filter((name) => /^models--[^/\\]+$/.test(name)).length;
  return `${models} model${models === 1 ? "" : "s"}, ${formatBytes(bytes)}${half > 0 ? `; not complete: ${half}` : ""}`;
}

const unreadable = (path: string, cause: NodeJS.ErrnoException): FileError =>
  new FileError(`${path}: expected a folder that can be read, got ${systemReason(cause)}`, undefined, { cause });

/** Writes into it; where it is not there, into nothing, but asks whether it could be made. */
async function checkWritable(dir: string, { writeFile }: PlaceCalls): Promise<void> {
  let at = dir;
  while (!(await statOf(at)) && at !== dirname(at)) at = dirname(at);
  if (at !== dir)
    return access(at, constants.W_OK | constants.X_OK).catch((error: unknown) => {
      throw writeError(at, error);
    });
  const probe = join(dir, `.flava-doctor-${process.pid}`);
  try {
    await writeFile(probe, "x".repeat(4096));
  } catch (error) {
    throw writeError(dir, error);
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

export async function starterFinding(env: Env): Promise<Finding> {
  const name = "starter data";
  const found = await findStarter({ cacheDir: defaultCacheDir(env) });
  if (found) return { name, status: "ok", found: found.dir };
  return { name, status: "note", found: `not in ${defaultCacheDir(env)}`, help: "flava data fetch starter" };
}

/** Whether there is a token, and whether the Hub answers and knows it. The token itself is never shown. */
export async function hubFindings(env: Env, calls: PlaceCalls = CALLS): Promise<Finding[]> {
  let token: HubToken | undefined;
  let own: Finding;
  try {
    token = await hubToken(env);
    const help = token ? undefined : "for gated and private models: set HF_TOKEN";
    own = { name: "token", status: token ? "ok" : "note", found: token ? `from ${token.from}` : "none", help };
  } catch (error) {
    own = failed("token", "warning", error, "set HF_TOKEN, or HF_TOKEN_PATH to a file that can be read");
  }
  if (isOffline(env))
    return [
      own,
      { name: "Hub", status: "note", found: "offline: HF_HUB_OFFLINE is set; only what is in the cache is used" },
    ];
  return [own, ...(await reach(hubEndpoint(env.HF_ENDPOINT), token, env, calls))];
}

const TIMEOUT_MS = 5000;

async function reach(
  endpoint: string,
  token: HubToken | undefined,
  env: Env,
  { fetch }: PlaceCalls,
): Promise<Finding[]> {
  const name = "Hub";
  const url = token ? `${endpoint}/api/whoami-v2` : `${endpoint}/api/models?limit=1`;
  const headers = token ? { authorization: `Bearer ${token.token}` } : {};
  const begun = performance.now();
  try {
    const { status } = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const found = `${endpoint} answers in ${Math.round(performance.now() - begun)} ms`;
    if (status === 401 && token)
      return [
        {
          name,
          status: "warning",
          found: `${found}, and refuses the token from ${token.from}`,
          help: "make a new one at https://huggingface.co/settings/tokens",
        },
      ];
    if (status >= 500 || status === 429)
      return [{ name, status: "warning", found: `${found}, with status ${status}`, help: "try again later" }];
    return [{ name, status: "ok", found }];
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message;
    return [{ name, status: "warning", found: `${endpoint} does not answer: ${why}`, help: helpOffline(env) }];
  }
}

function helpOffline(env: Env): string {
  const proxy = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].find((name) => env[name]);
  const local = "local models work; HF_HUB_OFFLINE=1 spares the attempt; HF_ENDPOINT names a mirror";
  return proxy ? `${proxy} is set, which Node reads from version 24 on with NODE_USE_ENV_PROXY=1; ${local}` : local;
}
