/** This machine, this Node and this package, as run.json names them. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { dirname, join } from "node:path";
import { readJson } from "../io/index.ts";

/** What the numbers of a run depend on besides its recipe. */
export interface Environment {
  readonly flava: string;
  /** Of a checkout; absent in an installed package. */
  readonly commit?: string | undefined;
  readonly node: string;
  /** Engine and version, as its device describes itself. */
  readonly engine: string;
  readonly cpu: string;
  readonly processors: number;
  readonly threads: number;
  readonly platform: string;
}

/** This machine, Node and package. */
export async function environment(engine: string, threads: number): Promise<Environment> {
  const own = createRequire(import.meta.url).resolve("flava/package.json"); // wherever in the package this was compiled to
  const { version } = (await readJson(own)) as { version: string };
  const commit = await commitOf(dirname(own));
  return {
    flava: version,
    ...(commit ? { commit } : {}),
    node: process.versions.node,
    engine,
    cpu: cpus()[0]?.model.trim() || "unknown",
    processors: availableParallelism(),
    threads: threads || availableParallelism(),
    platform: `${platform()} ${arch()}`,
  };
}

/** The commit that a checkout is at, read without git. */
async function commitOf(root: string): Promise<string | undefined> {
  const read = (name: string): Promise<string> => readFile(join(root, ".git", name), "utf8").catch(() => "");
  const head = (await read("HEAD")).trim();
  const ref = /^ref: (.+)$/.exec(head)?.[1];
  if (!ref) return /^[0-9a-f]{40}$/.exec(head)?.[0];
  const loose = (await read(ref)).trim();
  if (loose) return loose;
  const packed = (await read("packed-refs")).split("\n").find((line) => line.endsWith(` ${ref}`));
  return packed?.split(" ")[0];
}
