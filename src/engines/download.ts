/** A wheel into a file: continued where an earlier transfer stopped, and checked against the hash that the index names. */
import { createHash } from "node:crypto";
import { copyFile, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError } from "../errors.ts";
import type { HttpOptions } from "../io/http-attempts.ts";
import { freeBytes, openFile, openHttp, statOf, syncFolder, writeError } from "../io/index.ts";
import type { Wheel } from "./choose.ts";

/** What is downloaded, and to where. */
export interface WheelDownload {
  readonly wheel: Wheel;
  /** Bytes on the way lie beside it in `<path>.incomplete`. */
  readonly path: string;
  readonly http: HttpOptions;
  readonly onBytes: (loaded: number, total: number) => void;
}

/**
 * Downloads; the caller holds the lock. Throws FileError for a full disk, a server that gives up, and other bytes than the index named.
 * After an abort or a failure what came stays, and the next call goes on from there.
 */
export async function downloadWheel({ wheel, path, http, onBytes }: WheelDownload): Promise<void> {
  const part = `${path}.incomplete`;
  if (wheel.address.url.startsWith("file:")) await copyWheel(fileURLToPath(wheel.address.url), part);
  else {
    const earlier = (await statOf(part))?.size ?? 0;
    const remote = await openHttp(wheel.address.url, { ...http, headers: wheel.address.headers });
    if (wheel.size !== undefined && wheel.size !== remote.byteLength)
      throw new FileError(
        `${remote.name}: expected ${wheel.size} bytes, as the index says, got a file of ${remote.byteLength}`,
        "try again later: the index may be changing",
      );
    await append(part, remote, wheel.sha256 !== undefined, onBytes, http.signal);
    if (earlier > 0 && (await wrongHash(wheel, part, http.signal)) !== undefined) {
      http.note?.(`${wheel.file}: the part that was there does not belong to it: fetching all of it again`);
      await append(part, remote, false, onBytes, http.signal);
    }
  }
  const wrong = await wrongHash(wheel, part, http.signal);
  if (wrong !== undefined) {
    await rm(part, { force: true });
    throw new FileError(
      `${wheel.address.url}: expected bytes with the SHA-256 ${wheel.sha256}, as the index says, got ${wrong}`,
      "what came was removed: try again; if it stays so, what lies between changes the bytes",
    );
  }
  await rename(part, path).catch((error: unknown) => Promise.reject(writeError(path, error)));
  await syncFolder(dirname(path));
}

async function copyWheel(from: string, part: string): Promise<void> {
  const found = await statOf(from);
  if (!found?.isFile()) throw new FileError(`${from}: expected a wheel, got ${found ? "no file" : "none"}`);
  await checkSpace(part, found.size);
  await copyFile(from, part).catch((error: unknown) => Promise.reject(writeError(part, error)));
}

type Remote = Awaited<ReturnType<typeof openHttp>>;

async function append(
  part: string,
  remote: Remote,
  goOn: boolean,
  onBytes: WheelDownload["onBytes"],
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = await open(part, "a").catch((error: unknown) => Promise.reject(writeError(part, error)));
  let { size: have } = await handle.stat();
  try {
    if (!goOn || have > remote.byteLength) {
      await handle.truncate(0);
      have = 0;
    }
    await checkSpace(part, remote.byteLength - have);
    onBytes(have, remote.byteLength);
    for await (const chunk of remote.stream!(have)) {
      signal?.throwIfAborted();
      await handle.appendFile(chunk);
      have += chunk.length;
      onBytes(have, remote.byteLength);
    }
    await handle.sync();
  } catch (error) {
    throw writeError(part, error, have);
  } finally {
    await handle.close();
  }
}

/** Throws FileError where a disk has less than so many bytes. */
export async function checkSpace(path: string, bytes: number): Promise<void> {
  const left = await freeBytes(dirname(path));
  if (left !== undefined && left < bytes)
    throw new FileError(
      `${path}: the disk is full: expected ${bytes} bytes of space, got ${left}`,
      "free some space, or move the cache with HF_HOME",
    );
}

/** The hash of what came, where it is not the one that the index names. Where that names none, the wheel's own list is checked later. */
async function wrongHash(
  { sha256 }: Wheel,
  part: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (sha256 === undefined) return undefined;
  const bytes = await openFile(part, signal);
  const hash = createHash("sha256");
  try {
    for await (const chunk of bytes.stream!()) hash.update(chunk);
  } finally {
    await bytes.close();
  }
  const found = hash.digest("hex");
  return found === sha256 ? undefined : found;
}
