/** One file of the Hub into its blob: continued where an earlier transfer stopped, checked, and renamed when whole. */
import { createHash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "../../errors.ts";
import { again, type HttpOptions, messageOf, type Patience, patience } from "../../io/http-attempts.ts";
import { freeBytes, openFile, syncFolder, writeError } from "../../io/index.ts";
import { blobName, type FileFacts } from "./facts.ts";
import { type Answer, ask, checkStatus, fileUrl, type Remote } from "./remote.ts";

/** What is downloaded, and to where. */
export interface Download {
  readonly remote: Remote;
  readonly commit: string;
  readonly name: string;
  readonly facts: FileFacts;
  /** The path of the blob; bytes on the way lie beside it in `<blob>.incomplete`. */
  readonly blob: string;
  readonly http: HttpOptions;
  /** Sees how many bytes are there, of how many. */
  readonly onBytes: (loaded: number, total: number | undefined) => void;
  /** Free bytes of the disk a path is on; for tests. */
  readonly free?: (path: string) => Promise<number | undefined>;
}

/** An attempt that brought this much is no failure: the count of retries starts again. */
const PROGRESS_BYTES = 1 << 18;

/**
 * Downloads a blob; the caller holds its lock. Throws FileError for a full disk, a server that gives up, and bytes that are not those the
 * Hub named. After an abort or a failure what came stays and the next call goes on from there, unless it is wrong.
 */
export async function downloadBlob(job: Download): Promise<void> {
  const part = `${job.blob}.incomplete`;
  const handle = await open(part, "a+").catch((error: unknown) => {
    throw writeError(part, error);
  });
  try {
    const earlier = await usablePart(job, handle);
    await checkSpace(job, earlier);
    await fill(job, handle, earlier);
    let wrong = await difference(job, part);
    if (wrong && earlier > 0) {
      job.http.note?.(`${job.name}: ${wrong}; the part that was there is dropped, and all of it loaded again`);
      await handle.truncate(0);
      await fill(job, handle, 0);
      wrong = await difference(job, part);
    }
    if (wrong) {
      await rm(part, { force: true });
      const help =
        "what came was removed: try again; if it stays so, the server or what lies between changes the bytes";
      throw new FileError(`${fileUrl(job.remote, job.commit, job.name)}: ${wrong}`, help);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, job.blob).catch((error: unknown) => {
    throw writeError(job.blob, error);
  });
  await syncFolder(dirname(job.blob));
}

/** How many bytes of an earlier transfer are kept: none where it cannot be told whether the rest belongs to them. */
async function usablePart({ facts }: Download, handle: FileHandle): Promise<number> {
  const { size: have } = await handle.stat();
  if (canGoOn(facts) && facts.size !== undefined && have <= facts.size) return have;
  if (have > 0) await handle.truncate(0);
  return 0;
}

const canGoOn = (facts: FileFacts): boolean => hashOf(facts) !== undefined || facts.strongEtag !== undefined;

async function checkSpace({ blob, facts, free = freeBytes }: Download, have: number): Promise<void> {
  const left = await free(dirname(blob));
  const needed = (facts.size ?? 0) - have;
  if (left !== undefined && left < needed)
    throw new FileError(
      `${blob}: the disk is full: expected ${needed} bytes of space, got ${left}`,
      "free some space, or move the cache with HF_HUB_CACHE or --cache-dir",
    );
}

/** Appends what is missing, asking again where a connection drops. */
async function fill(job: Download, handle: FileHandle, start: number): Promise<void> {
  const { http, facts } = job;
  const url = fileUrl(job.remote, job.commit, job.name);
  const at = { have: start };
  for (let attempt = 0; ; ) {
    const from = at.have;
    const wait = patience(url, http);
    try {
      job.onBytes(at.have, facts.size);
      if (facts.size === undefined || at.have < facts.size) await transfer(job, handle, at, wait);
      return;
    } catch (error) {
      wait.stop();
      attempt = at.have - from >= PROGRESS_BYTES ? 0 : attempt;
      await again(url, error, attempt++, http, (cause) => {
        const help = "what came is kept: the same command goes on from there";
        const got = `got ${at.have} before the transfer failed ${attempt} times in a row`;
        throw new FileError(`${url}: expected ${facts.size} bytes, ${got}: ${messageOf(cause)}`, help, { cause });
      });
    } finally {
      wait.stop();
    }
  }
}

/** One GET, from what is there to the end. */
async function transfer(job: Download, handle: FileHandle, at: { have: number }, wait: Patience): Promise<void> {
  const { facts, http, name } = job;
  const url = fileUrl(job.remote, job.commit, name);
  if (at.have > 0 && !canGoOn(facts)) {
    await handle.truncate(0);
    at.have = 0;
  }
  const headers = at.have > 0 ? { range: `bytes=${at.have}-`, "if-range": facts.strongEtag } : {};
  const answer = await ask(job.remote, url, { headers, signal: wait.signal });
  const { response } = answer;
  try {
    checkStatus(job.remote, url, answer, 416);
    checkVersion(url, answer, facts);
    if (response.status !== 206 && at.have > 0) {
      http.note?.(`${name}: the server does not go on from byte ${at.have}: loading all of it again`);
      await handle.truncate(0);
      at.have = 0;
      if (response.status === 416) throw new Error("the range was refused");
    }
    checkLength(url, answer, facts, at.have);
    for await (const chunk of (response.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
      wait.got(chunk.length);
      wait.stop();
      at.have += chunk.length;
      if (facts.size !== undefined && at.have > facts.size)
        throw new FileError(
          `${url}: expected ${facts.size} bytes, got more`,
          "try again later: the file may be changing",
        );
      await handle.appendFile(chunk).catch((error: unknown) => {
        throw writeError(`${job.blob}.incomplete`, error, at.have - chunk.length);
      });
      job.onBytes(at.have, facts.size);
      http.signal?.throwIfAborted(); // an abort while the last bytes were used would leave fetch waiting for ever
      if (at.have === facts.size) return;
      wait.start();
    }
  } finally {
    await response.body?.cancel().catch(() => undefined);
  }
  if (facts.size !== undefined && at.have < facts.size) throw new Error("the connection was closed early");
}

/** The Hub names the bytes in every answer of its own; a storage host behind it has names of its own. */
function checkVersion(url: string, { response, said }: Answer, { etag, strongEtag }: FileFacts): void {
  const linked = said.get("x-linked-etag") ?? (strongEtag === undefined ? null : response.headers.get("etag"));
  if (linked !== null && blobName(linked) !== etag && response.status !== 416)
    throw new FileError(
      `${url}: the file changed on the server while it was read: ${etag}, now ${blobName(linked)}`,
      "start again",
    );
}

/** An answer that is complete and yet too short or too long would be asked for in vain again. */
function checkLength(url: string, { response }: Answer, { size }: FileFacts, have: number): void {
  const { headers, status } = response;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (status === 206 && Number(range?.[1]) !== have)
    throw new FileError(`${url}: expected the range from ${have}, got ${headers.get("content-range")}`);
  const encoded = !/^(identity)?$/i.test(headers.get("content-encoding") ?? "");
  const length = status === 206 ? range?.[2] : encoded ? null : headers.get("content-length");
  if (size === undefined || !/^\d+$/.test(length ?? "") || Number(length) === size) return;
  throw new FileError(
    `${url}: expected ${size} bytes, as the Hub says, got a file of ${length}`,
    "try again later: the file may be changing",
  );
}

interface FileHash {
  readonly algorithm: "sha256" | "sha1";
  /** Git hashes a header before the bytes. */
  readonly prefix: (size: number) => string;
}

/** Which hash an etag is; undefined for the words of other servers. */
const hashOf = ({ etag }: FileFacts): FileHash | undefined => {
  if (/^[0-9a-f]{64}$/.test(etag)) return { algorithm: "sha256", prefix: () => "" };
  if (/^[0-9a-f]{40}$/.test(etag)) return { algorithm: "sha1", prefix: (size) => `blob ${size}\0` };
  return undefined;
};

/** What distinguishes a file on disk from what the Hub named; undefined where nothing does. */
async function difference({ facts, http }: Download, path: string): Promise<string | undefined> {
  const kind = hashOf(facts);
  if (kind === undefined) return undefined;
  const bytes = await openFile(path, http.signal);
  try {
    const hash = createHash(kind.algorithm).update(kind.prefix(bytes.byteLength));
    for await (const chunk of bytes.stream()) hash.update(chunk);
    const digest = hash.digest("hex");
    return digest === facts.etag ? undefined : `expected ${kind.algorithm} ${facts.etag}, got ${digest}`;
  } finally {
    await bytes.close();
  }
}
