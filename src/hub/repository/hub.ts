/** A repository of the Hub at one commit: its files come into the shared cache when they are asked for. */
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FileError, NoSuchFile } from "../../errors.ts";
import type { HttpOptions } from "../../io/http-attempts.ts";
import { type Bytes, lockFile, makeFolder, openFile, openHttp, statOf } from "../../io/index.ts";
import { nearest } from "../../tensor/hints.ts";
import { type CachedRepository, placeBlob } from "./cache.ts";
import { downloadBlob } from "./download.ts";
import { factsOfFile, type Listing, type RepositoryFile } from "./facts.ts";
import { filesBelow } from "./local.ts";
import { checkFileName } from "./names.ts";
import { byteEvents, type OnProgress, withTotal } from "./progress.ts";
import { fileUrl, type Remote } from "./remote.ts";
import type { Repository } from "./repository.ts";

/** A commit, what is known of it, and the way to the rest. */
export interface HubPlace {
  readonly remote: Remote;
  readonly cache: CachedRepository;
  readonly commit: string;
  readonly files: Listing["files"];
  /** Undefined, or why the network is not used. */
  readonly offline: string | undefined;
  readonly subfolder: string;
  readonly http: HttpOptions;
  readonly onProgress: OnProgress;
}

/** Downloads at the same time. */
const PARALLEL = 4;

/** The repository at that commit. Nothing is loaded before a file is asked for. */
export function hubRepository(place: HubPlace): Repository {
  const { cache, commit, remote, subfolder, http } = place;
  const snapshot = cache.snapshot(commit);
  const full = (name: string): string => checkFileName(subfolder + name, remote.id);
  const path = async (name: string, onProgress = place.onProgress): Promise<string> =>
    fetchFile({ ...place, onProgress }, full(name));
  const here = async (name: string): Promise<boolean> => (await statOf(join(snapshot, full(name))))?.isFile() ?? false;
  return {
    kind: "hub",
    name: remote.id,
    dir: join(snapshot, subfolder),
    file: undefined,
    revision: commit,
    files: async () => within(subfolder, place.files ?? (await filesBelow(snapshot))),
    has: async (name) => {
      if (place.files) return place.files.some((file) => file.name === full(name));
      return (await here(name)) || (!place.offline && (await isThere(place, full(name))));
    },
    path: (name) => path(name),
    paths: (names) => {
      const wanted = new Map(names.flatMap((name) => sizeOf(place, full(name)) ?? []));
      const onProgress = withTotal(remote.id, wanted, place.onProgress);
      return inTurns(names, (name) => path(name, onProgress));
    },
    open: async (name) => openFile(await path(name), http.signal),
    peek: async (name) => {
      if (place.offline || (await here(name))) return openFile(await path(name), http.signal);
      return openRemote(place, full(name));
    },
  };
}

const within = (subfolder: string, files: readonly RepositoryFile[]): RepositoryFile[] =>
  files.flatMap(({ name, size }) => (name.startsWith(subfolder) ? [{ name: name.slice(subfolder.length), size }] : []));

function sizeOf({ files }: HubPlace, name: string): [string, number][] | undefined {
  const size = files?.find((file) => file.name === name)?.size;
  return size === undefined ? undefined : [[name, size]];
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const out: R[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [i, item] of rest) out[i] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  return out;
}

async function isThere({ cache, commit, remote, http }: HubPlace, name: string): Promise<boolean> {
  if (await cache.isAbsent(commit, name)) return false;
  try {
    await factsOfFile(remote, commit, name, http);
    return true;
  } catch (error) {
    if (!(error instanceof NoSuchFile)) throw error;
    await cache.saveAbsent(commit, name);
    return false;
  }
}

/** Fetch drops the token where a redirect leads to another host (Fetch standard, HTTP-redirect fetch). */
function openRemote({ remote, commit, http }: HubPlace, name: string): Promise<Bytes> {
  const headers: Record<string, string> = remote.token ? { authorization: `Bearer ${remote.token}` } : {};
  return openHttp(fileUrl(remote, commit, name), { ...http, headers });
}

async function fetchFile(place: HubPlace, name: string): Promise<string> {
  const { cache, commit, remote, http, onProgress } = place;
  http.signal?.throwIfAborted();
  const path = join(cache.snapshot(commit), name);
  onProgress({ status: "initiate", name: remote.id, file: name });
  if (!(await isWhole(place, path, name))) {
    if (place.offline) throw await missing(place, path, name);
    await download(place, path, name);
  }
  onProgress({ status: "done", name: remote.id, file: name });
  return path;
}

/** Whether the cache has the file. One of another size than the Hub's is damaged: it is loaded again. */
async function isWhole({ files, http }: HubPlace, path: string, name: string): Promise<boolean> {
  const found = await statOf(path);
  if (!found?.isFile()) return false;
  const size = files?.find((file) => file.name === name)?.size;
  if (size === undefined || size === found.size) return true;
  http.note?.(`${path}: expected ${size} bytes, got ${found.size}: loading it again`);
  return false;
}

async function missing({ cache, commit, remote, offline }: HubPlace, path: string, name: string): Promise<FileError> {
  if (await cache.isAbsent(commit, name)) return new NoSuchFile(`${remote.id} has no file ${name}`);
  const help = `${offline}; download it once with the network, or set HF_HUB_CACHE to a cache that has it`;
  return new FileError(`${path}: expected ${name} of ${remote.id} in the cache, got none`, help);
}

const [SILENT_MS, POLL_MS] = [10_000, 250];

/** Python's locks are empty files that stay when they are released: one whose part has not grown for a while counts as released. */
async function clearSilentLock(lock: string, part: string, { signal, note }: HttpOptions): Promise<void> {
  for (let said = false; ; said = true) {
    const found = await statOf(lock);
    if (!found || found.size > 0) return;
    const last = Math.max(found.mtimeMs, (await statOf(part))?.mtimeMs ?? 0);
    if (Date.now() - last > SILENT_MS) return rm(lock, { force: true });
    if (!said) note?.(`${lock}: waiting for another process`);
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}

async function download(place: HubPlace, path: string, name: string): Promise<void> {
  const { cache, commit, remote, http, onProgress } = place;
  const facts = await factsOfFile(remote, commit, name, http).catch(async (error: unknown) => {
    if (!(error instanceof NoSuchFile)) throw error;
    await cache.saveAbsent(commit, name);
    const hint =
      place.files &&
      nearest(
        name,
        place.files.map((file) => file.name),
      );
    throw new NoSuchFile(`${remote.id} at ${commit}: expected a file ${name}, got none`, hint, { cause: error });
  });
  const blob = cache.blob(facts.etag);
  const lock = cache.lock(facts.etag);
  for (const file of [blob, lock]) await makeFolder(dirname(file));
  await clearSilentLock(lock, `${blob}.incomplete`, http);
  await using _held = await lockFile(lock, { wait: true, note: http.note, signal: http.signal });
  const there = await statOf(blob);
  if (!there || (facts.size !== undefined && there.size !== facts.size)) {
    onProgress({ status: "download", name: remote.id, file: name });
    const onBytes = byteEvents(remote.id, name, onProgress);
    await downloadBlob({ remote, commit, name, facts, blob, http, onBytes });
  }
  await placeBlob(blob, path);
}
