/** What folders of compiled programs have in common: the processor they are for, the room they may take, warnings. */
import { readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { settled } from "../errors.ts";
import { namesIn, PARTIAL, statOf } from "../io/index.ts";

/** The most that all programs of one engine take, unless said. */
export const MAX_BYTES: number = 4 * 2 ** 30;
/** What took less to compile is not kept, unless said. */
export const MIN_MS = 1000;
/** What a process that was killed left unfinished is that old at least. */
const STALE_MS = 3_600_000;

let known: string | undefined;

/** Programs for processors use what this one has, and a cache may be shared by several machines. */
export function processor(): string {
  known ??= `${process.arch} ${cpus()[0]?.model} ${flags()}`;
  return known;
}

function flags(): string {
  try {
    return /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** A program that cannot be read or kept is compiled all the same. */
export const warnOfCompiled = (message: string): void => process.emitWarning(message, { code: "FLAVA_COMPILED" });

/** Removes what was not used for longest of the files and folders that end in `suffix`, and what killed processes left unfinished. */
export async function makeRoom(folder: string, suffix: string, maxBytes: number): Promise<void> {
  const found = await Promise.all((await namesIn(folder)).map((name) => entry(folder, name)));
  const there = found.filter((one) => one !== undefined);
  const stale = there.filter(({ path, used }) => path.endsWith(PARTIAL) && Date.now() - used > STALE_MS);
  const kept = there.filter(({ path }) => path.endsWith(suffix)).sort((a, b) => b.used - a.used);
  const old: typeof kept = [];
  let total = 0;
  for (const one of kept) {
    total += one.size;
    if (total > maxBytes) old.push(one);
  }
  for (const { path } of [...stale, ...old]) await settled(rm(path, { recursive: true, force: true }));
}

async function entry(folder: string, name: string): Promise<{ path: string; size: number; used: number } | undefined> {
  const path = join(folder, name);
  const stat = await statOf(path);
  if (!stat) return undefined;
  const inside = stat.isDirectory() ? await readdir(path).catch(() => []) : [];
  const sizes = await Promise.all(inside.map(async (one) => (await statOf(join(path, one)))?.size ?? 0));
  return { path, size: stat.isDirectory() ? sizes.reduce((a, b) => a + b, 0) : stat.size, used: stat.mtimeMs };
}
