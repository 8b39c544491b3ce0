/** A wheel into a file: continued where an earlier transfer stopped, and checked against the hash that the index names. */
import { createHash } from "node:crypto";
import { copyFile, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError } from "../errors.ts";
import type { HttpOptions } from "../io/http-attempts.ts";
import { freeBytes, openFile, openHttp, syncFolder, writeError } from "../io/index.ts";
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
  if (wheel.address.url.startsWith("file:")) await copyFile(fileURLToPath(wheel.address.url), part);
  else {
    const remote = await openHttp(wheel.address.url, { ...http, headers: wheel.address.headers });
    if (wheel.size !== undefined && wheel.size !== remote.byteLength)
      throw new FileError(
        `${remote.name}: expected ${wheel.size} bytes, as the index says, got a file of ${remote.byteLength}`,
        "try again later: the index may be changing",
      );
    await append(part, remote, wheel.sha256 !== undefined, onBytes, http.signal);
  }
  await check(wheel, part, http.signal);
  await rename(part, path).catch((error: unknown) => Promise.reject(writeError(path, error)));
  await syncFolder(dirname(path));
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

/** Wrong bytes are removed: nothing can be built on them. */
async function check({ sha256, address }: Wheel, part: string, signal: AbortSignal | undefined): Promise<void> {
  if (sha256 === undefined) return; // what is unpacked is checked against the wheel's own list
  const bytes = await openFile(part, signal);
  const hash = createHash("sha256");
  try {
    for await (const chunk of bytes.stream!()) hash.update(chunk);
  } finally {
    await bytes.close();
  }
  const found = hash.digest("hex");
  if (found === sha256) return;
  await rm(part, { force: true });
  throw new FileError(
    `${address.url}: expected bytes with the SHA-256 ${sha256}, as the index says, got ${found}`,
    "what came was removed: try again; if it stays so, what lies between changes the bytes",
  );
}
