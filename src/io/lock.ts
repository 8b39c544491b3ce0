/**
 * One writer a folder: a file that says which process holds it. A lock whose process is gone is taken over (Node).
 *
 * A process of this machine is known by its id and its start time. One of another machine, or of another container, shows that it
 * lives by touching the file; without a sign for three minutes it counts as gone.
 */
import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { constants, copyFile, link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FileError, InUse, settled } from "../errors.ts";
import { PARTIAL } from "./save-file.ts";
import { writeError } from "./system-error.ts";

/** What happens when another process holds the lock. */
export interface LockOptions {
  /** Wait until the other process is done, instead of failing. */
  readonly wait?: boolean | undefined;
  readonly note?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Owner {
  readonly id: string;
  readonly pid: number;
  /** Of the process, in the kernel's ticks since boot; null where the system does not say. */
  readonly started: string | null;
  readonly machine: string;
}

const LOCK_FILE = ".lock";
const TOUCH_MS = 10_000;
const GONE_MS = 180_000;
const POLL_MS = 250;
/** After a lock was taken over: long enough for another process that meant to do the same to see that it came too late. */
const SETTLE_MS = 100;

/** The locks that this process has, or is about to take. */
const held = new Set<string>();

/** Locks a folder that exists. Throws FileError where another process holds it, or where nothing can be written. */
export const lockFolder = (folder: string, options: LockOptions = {}): Promise<AsyncDisposable> =>
  lockFile(join(folder, LOCK_FILE), options);

/** As lockFolder, with the lock at `path`. It goes when it is disposed of; after a crash the next process takes it over. */
export async function lockFile(path: string, options: LockOptions = {}): Promise<AsyncDisposable> {
  const me: Owner = { id: randomUUID(), pid: process.pid, started: await startOf(process.pid), machine: machineName() };
  held.add(me.id);
  try {
    await acquire(path, me, options);
  } catch (error) {
    held.delete(me.id);
    throw error;
  }
  const touch = setInterval(() => void settled(utimes(path, new Date(), new Date())), TOUCH_MS);
  touch.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(touch);
      if (await holds(path, me)) await rm(path, { force: true });
      held.delete(me.id);
    },
  };
}

async function acquire(path: string, me: Owner, { wait = false, note, signal }: LockOptions): Promise<void> {
  for (let said = false; ; ) {
    signal?.throwIfAborted();
    const other = await ownerOf(path);
    if (other === "none") {
      if (await take(path, me)) return;
      continue;
    }
    if (!(await isAlive(other))) {
      await clear(path, other);
      if ((await take(path, me)) && (await sleep(SETTLE_MS, true)) && (await holds(path, me))) return;
      continue;
    }
    if (!wait) throw refusal(path, other);
    if (!said) note?.(`${path}: waiting for ${describe(other)}`);
    said = true;
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}

/** Makes the lock whole or not at all, and only where there is none. */
async function take(path: string, me: Owner): Promise<boolean> {
  const temporary = `${path}.${me.id}${PARTIAL}`;
  try {
    await writeFile(temporary, `${JSON.stringify(me)}\n`);
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST" || error.code === "ENOENT") throw error;
      return copyFile(temporary, path, constants.COPYFILE_EXCL); // a file system without links
    });
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || (code === "ENOENT" && syscall === "link")) return false; // the holder tidies what looks left over
    throw writeError(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

interface Found {
  /** Undefined where it is no lock of ours, or cut off. */
  readonly owner: Owner | undefined;
  readonly text: string;
  /** Since the last sign of life. */
  readonly quietMs: number;
}

async function ownerOf(path: string): Promise<Found | "none"> {
  try {
    const [text, { mtimeMs }] = [await readFile(path, "utf8"), await stat(path)];
    return { owner: parse(text), text, quietMs: Date.now() - mtimeMs };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "none";
    throw new FileError(`${path}: expected a lock, got ${(cause as Error).message}`, undefined, { cause });
  }
}

function parse(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Owner;
    return Number.isInteger(owner.pid) && typeof owner.machine === "string" ? owner : undefined;
  } catch {
    return undefined;
  }
}

const holds = async (path: string, me: Owner): Promise<boolean> => {
  const found = await ownerOf(path);
  return found !== "none" && found.owner?.id === me.id;
};

async function isAlive({ owner, quietMs }: Found): Promise<boolean> {
  const recent = quietMs < GONE_MS;
  if (owner === undefined || owner.machine !== machineName()) return recent;
  if (owner.pid === process.pid) return held.has(owner.id);
  if (!exists(owner.pid)) return false;
  const started = await startOf(owner.pid);
  return started !== null && owner.started !== null ? started === owner.started : recent;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes the lock of a process that is gone; where another lock took its place meanwhile, puts that one back. */
async function clear(path: string, gone: Found): Promise<void> {
  const aside = `${path}.${randomUUID()}${PARTIAL}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return; // another process was faster
    throw writeError(path, error);
  }
  if ((await readFile(aside, "utf8")) !== gone.text) await settled(link(aside, path));
  await rm(aside, { force: true });
}

/**
 * When a process started (proc(5), stat, field 22); null where the system has no /proc. A process that has ended and that its
 * parent has not asked for (in containers often for ever) gives a word that is no time.
 */
async function startOf(pid: number): Promise<string | null> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = line.slice(line.lastIndexOf(")") + 2).split(" "); // the name before may hold spaces
    return state === "Z" ? "ended" : (rest[18] ?? null);
  } catch {
    return null;
  }
}

/** Processes of one machine see each other by their ids; containers are machines of their own. */
function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

const describe = ({ owner }: Found): string =>
  owner === undefined ? "another process" : `process ${owner.pid} on ${owner.machine.split(" ")[0]}`;

function refusal(path: string, found: Found): InUse {
  const mine = found.owner?.machine === machineName();
  const help = mine
    ? "wait until it is done, stop it, or choose another folder"
    : `wait until it is done, or choose another folder; if that process is gone, try again in three minutes or remove ${path}`;
  return new InUse(
    `${path}: expected a folder that no other process writes to, got one that ${describe(found)} holds`,
    help,
  );
}
