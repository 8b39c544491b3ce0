/**
 * Files at addresses, in browsers: large ones by blocks, which the Cache API keeps, so that a file is loaded once and is there offline.
 * Nothing is kept of a file whose server does not say which version it serves.
 */
import { FileError } from "../errors.ts";
import { type Bytes, checkRange } from "./bytes.ts";
import { attempts, messageOf } from "./http-attempts.ts";
import { memoryBytes } from "./memory.ts";

/** How a file is asked for, and what is told. */
export interface CachedOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Nothing is asked for: what the cache does not have is an error. */
  readonly localOnly?: boolean | undefined;
  /** The name of the cache. Default "flava". */
  readonly cacheName?: string | undefined;
  /** Bytes that have come so far, from the network or the cache. */
  readonly onBytes?: ((loaded: number, total: number) => void) | undefined;
  /** Told, in a sentence, what could not be kept. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of one request, and one entry of the cache. */
const BLOCK_BYTES = 4 << 20;
/** Blocks that stay in memory: tensors are not always read in the order of the file. */
const HELD_BLOCKS = 16;

/** What a server says of a file. */
interface Facts {
  readonly byteLength: number;
  /** ETag or date; undefined where the server names neither. */
  readonly version: string | undefined;
  /** Whether it answers with parts. */
  readonly ranges: boolean;
}

/** Opens a file; undefined where there is none, or a page of HTML in its place. Throws FileError. */
export async function openCached(url: string, options: CachedOptions = {}): Promise<Bytes | undefined> {
  const store = await openStore(url, options);
  const facts = await factsOf(url, store, options);
  if (!facts) return undefined;
  if (!facts.ranges || facts.byteLength <= BLOCK_BYTES) return whole(url, facts, store, options);
  return blocks(url, facts, store, options);
}

function blocks(url: string, facts: Facts, store: Store, options: CachedOptions): Bytes {
  const { byteLength, version } = facts;
  const held = new Map<number, Promise<Uint8Array>>();
  const seen = new Set<number>();
  let loaded = 0;
  const load = async (index: number): Promise<Uint8Array> => {
    const [start, end] = [index * BLOCK_BYTES, Math.min(byteLength, (index + 1) * BLOCK_BYTES)];
    const kept = await store.get(`${index}`, facts);
    const bytes = kept?.byteLength === end - start ? kept : await fetchPart(url, start, end, options);
    if (bytes !== kept) await store.put(`${index}`, facts, bytes);
    if (!seen.has(index)) loaded += bytes.byteLength;
    seen.add(index);
    options.onBytes?.(loaded, byteLength);
    return bytes;
  };
  const block = (index: number): Promise<Uint8Array> => {
    const found = held.get(index) ?? load(index);
    found.catch(() => held.delete(index));
    held.delete(index);
    held.set(index, found);
    for (const old of [...held.keys()].slice(0, -HELD_BLOCKS)) held.delete(old);
    return found;
  };
  const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    checkRange(url, start, end, byteLength);
    const out = new Uint8Array(end - start);
    for (let at = start; at < end; ) {
      options.signal?.throwIfAborted();
      const index = Math.floor(at / BLOCK_BYTES);
      const from = at - index * BLOCK_BYTES;
      const part = (await block(index)).subarray(from, from + end - at);
      out.set(part, at - start);
      at += part.byteLength;
    }
    return out.buffer;
  };
  async function* stream(start = 0): AsyncGenerator<Uint8Array> {
    for (let at = start; at < byteLength; at += BLOCK_BYTES - (at % BLOCK_BYTES))
      yield new Uint8Array(await slice(at, Math.min(byteLength, at + BLOCK_BYTES - (at % BLOCK_BYTES))));
  }
  return { name: url, byteLength, version, slice, stream, close: async () => held.clear() };
}

async function whole(url: string, facts: Facts, store: Store, options: CachedOptions): Promise<Bytes> {
  const kept = await store.get("whole", facts);
  const bytes = kept ?? (await fetchPart(url, 0, undefined, options));
  if (!kept) await store.put("whole", { ...facts, byteLength: bytes.byteLength }, bytes);
  options.onBytes?.(bytes.byteLength, bytes.byteLength);
  return memoryBytes(url, bytes);
}

/** Asks the server; where it cannot be reached, what the cache has is what there is. */
async function factsOf(url: string, store: Store, options: CachedOptions): Promise<Facts | undefined> {
  if (options.localOnly) return (await store.facts()) ?? undefined;
  try {
    const found = await probe(url, options);
    await store.keepOnly(found);
    return found;
  } catch (error) {
    options.signal?.throwIfAborted();
    const last = error instanceof FileError && error.cause ? await store.facts() : undefined;
    if (last === undefined) throw error;
    return last ?? undefined;
  }
}

const probe = (url: string, options: CachedOptions): Promise<Facts | undefined> =>
  attempts(url, { ...options, retries: globalThis.navigator?.onLine === false ? 0 : 2 }, async ({ signal }) => {
    const response = await fetch(url, {
      headers: { ...options.headers, range: "bytes=0-0" },
      signal,
      cache: "no-cache",
    });
    await response.body?.cancel();
    const { headers, status, statusText } = response;
    if (status === 404 || isPage(response)) return undefined;
    if (!response.ok && status !== 416)
      throw new FileError(`${url}: expected a file, got status ${`${status} ${statusText}`.trim()}`);
    const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
    return {
      byteLength: Number(total ?? headers.get("content-length") ?? 0),
      version: headers.get("etag") ?? headers.get("last-modified") ?? undefined,
      ranges: status === 206 && total !== undefined,
    };
  });

/** Many servers of static files answer with the site's first page, and status 200, where a file is missing. Pages of errors are not meant. */
const isPage = ({ ok, headers }: Response): boolean => ok && /^text\/html\b/i.test(headers.get("content-type") ?? "");

/** Bytes start..end−1, or all of them. */
const fetchPart = (url: string, start: number, end: number | undefined, options: CachedOptions): Promise<Uint8Array> =>
  attempts(url, options, async (wait) => {
    if (options.localOnly) throw new FileError(`${url}: expected the whole file in the browser's cache, got a part`);
    const range = end === undefined ? {} : { range: `bytes=${start}-${end - 1}` };
    const response = await fetch(url, {
      headers: { ...options.headers, ...range },
      signal: wait.signal,
      cache: "no-store",
    });
    if (!response.ok || (end !== undefined && response.status !== 206))
      throw new FileError(
        `${url}: expected ${end === undefined ? "a file" : "a part of a file"}, got status ${response.status}`,
      );
    const parts: Uint8Array[] = [];
    const reader = response.body!.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      wait.got(read.value.byteLength);
      parts.push(read.value);
    }
    const bytes = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    if (end !== undefined && bytes.byteLength !== end - start)
      throw new Error(`expected ${end - start} bytes, got ${bytes.byteLength}`);
    return bytes;
  });

/** What the cache has of one file. */
interface Store {
  /** Null: there was no such file; undefined: nothing is known. */
  facts(): Promise<Facts | null | undefined>;
  /** Forgets parts of other versions. */
  keepOnly(facts: Facts | undefined): Promise<void>;
  get(part: string, facts: Facts): Promise<Uint8Array | undefined>;
  put(part: string, facts: Facts, bytes: Uint8Array): Promise<void>;
}

const NO_STORE: Store = {
  facts: async () => undefined,
  keepOnly: async () => undefined,
  get: async () => undefined,
  put: async () => undefined,
};

/** Pages that are not secure have no caches. */
async function openStore(url: string, { cacheName = "flava", onWarning }: CachedOptions): Promise<Store> {
  const cache = await globalThis.caches?.open(cacheName).catch(() => undefined);
  if (!cache) return NO_STORE;
  let full = false;
  const key = (part: string): string => {
    const address = new URL(url);
    address.searchParams.set("flava-part", part);
    return address.href;
  };
  const put = async (part: string, body: BodyInit): Promise<void> => {
    if (full) return;
    try {
      await cache.put(key(part), new Response(body));
    } catch (error) {
      full = true;
      onWarning?.(`${url}: the browser cannot keep it (${messageOf(error)}), so it is loaded again next time`);
    }
  };
  const facts = async (): Promise<Facts | null | undefined> => (await cache.match(key("facts")))?.json();
  return {
    facts,
    keepOnly: async (now) => {
      const before = await facts();
      if (before !== undefined && before?.version === now?.version && before?.byteLength === now?.byteLength) return;
      const parts = [
        "whole",
        ...Array.from({ length: Math.ceil((before?.byteLength ?? 0) / BLOCK_BYTES) }, (_, i) => `${i}`),
      ];
      await Promise.all(["facts", ...parts].map((part) => cache.delete(key(part))));
      if (!now || now.version !== undefined) await put("facts", JSON.stringify(now ?? null));
    },
    get: async (part, { version }) => {
      if (version === undefined) return undefined;
      const found = await cache.match(key(part));
      return found && new Uint8Array(await found.arrayBuffer());
    },
    put: async (part, { version }, bytes) => {
      if (version !== undefined) await put(part, bytes as BodyInit);
    },
  };
}
