/** What a name means: something on this computer, or a repository of the Hub. */
import { FileError } from "../../errors.ts";
import { isOffline, isSet, statOf, withHome } from "../../io/index.ts";
import { CachedRepository } from "./cache.ts";
import { checkToken, hubCacheDir, hubEndpoint, hubTimeoutMs, hubToken } from "./environment.ts";
import { type Listing, listRepository } from "./facts.ts";
import { type HubPlace, hubRepository } from "./hub.ts";
import { localRepository } from "./local.ts";
import { checkFileName, isRevision, parseRepositoryId, type RepositoryId } from "./names.ts";
import type { Remote } from "./remote.ts";
import type { Repository, RepositoryOptions } from "./repository.ts";

/**
 * Finds the files of a model: a folder, a run's folder, a single file, or a repository of the Hub (`org/name`, `org/name@revision`, or its
 * address). What exists on this computer comes first. Files of the Hub are downloaded one by one, when asked for, into the cache that is
 * shared with Python. Throws FileError where nothing is found, the Hub refuses, or the cache cannot be used; ConfigError for wrong options.
 */
export async function resolveRepository(idOrPath: string, options: RepositoryOptions = {}): Promise<Repository> {
  options.signal?.throwIfAborted();
  const path = withHome(idOrPath);
  const found = await statOf(path);
  const subfolder = options.subfolder ? `${checkFileName(options.subfolder.replace(/\/+$/, ""), "subfolder")}/` : "";
  if (found?.isDirectory())
    return localRepository(
      `${path.replace(/(?<=.)\/+$/, "")}${subfolder && `/${subfolder.slice(0, -1)}`}`,
      true,
      options,
    );
  if (found?.isFile()) return localRepository(path, false, options);
  const id = looksLocal(idOrPath) ? undefined : parseRepositoryId(idOrPath);
  if (id === undefined)
    throw new FileError(
      `${idOrPath}: expected a folder, a file, or a repository of the Hub such as facebook/flava-full, got nothing of that name`,
      "paths count from the folder in which the command runs",
    );
  const place = await openHub(id, subfolder, options).catch((error: unknown) => {
    options.signal?.throwIfAborted();
    throw error instanceof FileError ? notHereEither(idOrPath, error) : error;
  });
  return hubRepository(place);
}

/** Who mistyped a folder's name does not know that it was looked for elsewhere. */
function notHereEither(idOrPath: string, cause: FileError): FileError {
  const why = cause.message.split("\n")[0]!;
  const help = cause.help ?? "a model on this computer is named by its folder or file; others need the network";
  return new FileError(`${idOrPath}: no such file or folder here, and as a repository of the Hub: ${why}`, help, {
    cause,
  });
}

/** Whether a text can only be meant as a path. */
const looksLocal = (text: string): boolean =>
  /^(\.{0,2}[/\\]|~|[a-zA-Z]:[/\\])/.test(text) || /\.(safetensors|bin|pth?|pkl|ckpt|onnx|json|txt)$/i.test(text);

async function openHub(id: RepositoryId, subfolder: string, options: RepositoryOptions): Promise<HubPlace> {
  const { env = process.env, note, signal, retries, retryDelayMs, quietMs } = options;
  const revision = options.revision ?? id.revision ?? "main";
  if (!isRevision(revision))
    throw new FileError(`${id.id}: expected a branch, tag or commit, got ${JSON.stringify(revision)}`);
  const http = { note, signal, retries, retryDelayMs, quietMs, timeoutMs: options.timeoutMs ?? hubTimeoutMs(env) };
  const remote: Remote = {
    id: id.id,
    endpoint: hubEndpoint(options.endpoint ?? env.HF_ENDPOINT),
    token: options.token === undefined ? (await hubToken(env))?.token : checkToken(options.token || undefined, "token"),
  };
  const cache = new CachedRepository(options.cacheDir ?? hubCacheDir(env), id.id);
  const onProgress = options.onProgress ?? (() => undefined);
  const place = { remote, cache, subfolder, http, onProgress };
  if (options.localFilesOnly ?? isOffline(env)) {
    const why =
      isOffline(env) && !options.localFilesOnly ? "HF_HUB_OFFLINE is set" : "downloads are turned off (localFilesOnly)";
    return { ...place, commit: await cachedCommit(cache, id.id, revision, why), files: undefined, offline: why };
  }
  return { ...place, ...(await onlineCommit(remote, cache, revision, http)) };
}

async function cachedCommit(cache: CachedRepository, id: string, revision: string, why: string): Promise<string> {
  const commit = await cache.commitOf(revision);
  if (commit !== undefined) return commit;
  throw new FileError(
    `${cache.folder}: expected ${id} at ${revision} in the cache, got none`,
    `${why}; download it once with the network, or set HF_HUB_CACHE to a cache that has it`,
  );
}

/** Asks the Hub; where it does not answer or refuses, what the cache has of that revision is used, and that is said. */
async function onlineCommit(
  remote: Remote,
  cache: CachedRepository,
  revision: string,
  http: HubPlace["http"],
): Promise<Pick<HubPlace, "commit" | "files" | "offline">> {
  const commit = await cache.commitOf(revision);
  const known = commit !== undefined && (await statOf(cache.snapshot(commit))) !== undefined;
  let listing: Listing;
  try {
    listing = await listRepository(
      remote,
      revision,
      known ? { ...http, retries: Math.min(http.retries ?? 1, 1) } : http,
    );
  } catch (error) {
    http.signal?.throwIfAborted();
    if (!known || !(error instanceof FileError)) throw error;
    const why = error.message.split("\n")[0]!;
    http.note?.(`${remote.id}: using what the cache has of ${revision}: ${why}`);
    return { commit, files: undefined, offline: `the Hub did not answer: ${why}` };
  }
  await cache.saveCommit(revision, listing.commit).catch((error: Error) => http.note?.(error.message));
  return { ...listing, offline: undefined };
}

/** Whether progress shall not be drawn: `HF_HUB_DISABLE_PROGRESS_BARS`. */
export const isProgressHidden = (env: NodeJS.ProcessEnv = process.env): boolean =>
  isSet(env.HF_HUB_DISABLE_PROGRESS_BARS);
