/**
 * Downloads packages with the user's own npm, so that registry, proxy, credentials and cache are those of its
 * configuration. `npm pack` fetches the tarballs alone: no dependencies, no scripts, no thousands of small files. Each
 * tarball is checked against the hash of the lockfile.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DataError } from "../../errors.ts";
import { makeFolder, namesIn, statOf } from "../../io/index.ts";
import type { PinnedPackage } from "./packages.ts";

export interface NpmOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with how many tarballs have arrived. */
  readonly onArrived?: ((arrived: number) => void) | undefined;
  /** Use npm's cache only. */
  readonly offline?: boolean | undefined;
  /** How to call npm. Default: as `findNpm` says. */
  readonly npm?: Command | undefined;
}

/** A program with its first arguments. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

const POLL_MS = 250;

/** Downloads the packages' tarballs into `folder` and checks their hashes. Returns the files by package name. */
export async function downloadPackages(
  packages: readonly PinnedPackage[],
  folder: string,
  { signal, onArrived, offline = false, npm }: NpmOptions = {},
): Promise<ReadonlyMap<string, string>> {
  await makeFolder(folder);
  const command = npm ?? (await findNpm());
  const flags = [
    "--ignore-scripts",
    "--loglevel=error",
    `--pack-destination=${folder}`,
    ...(offline ? ["--offline"] : []),
  ];
  const specs = packages.map(({ name, version }) => `${name}@${version}`);
  let arrived = 0;
  const poll = setInterval(async () => {
    const now = (await namesIn(folder)).filter((name) => name.endsWith(".tgz")).length;
    if (now > arrived) onArrived?.(now);
    arrived = Math.max(arrived, now);
  }, POLL_MS);
  try {
    await run(command, ["pack", ...flags, ...specs], { signal, env: withHome(folder) });
  } finally {
    clearInterval(poll);
  }
  const files = new Map<string, string>();
  for (const pack of packages) {
    const file = join(folder, tarballName(pack));
    await checkIntegrity(file, pack);
    files.set(pack.name, file);
  }
  return files;
}

/** The npm that runs this process, else the one beside its node, else the one on the PATH. */
export async function findNpm(env: NodeJS.ProcessEnv = process.env, node: string = process.execPath): Promise<Command> {
  const bin = dirname(node);
  const candidates = [
    ...(env.npm_execpath && /^npm(-cli)?\.c?js$/.test(basename(env.npm_execpath)) ? [env.npm_execpath] : []),
    join(bin, "node_modules", "npm", "bin", "npm-cli.js"),
    join(bin, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
  ];
  for (const file of candidates) {
    if (await statOf(file)) return { file: node, args: [file] };
  }
  return { file: process.platform === "win32" ? "npm.cmd" : "npm", args: [] };
}

/** The file name `npm pack` gives: "@a/b" at 1.0.0 → "a-b-1.0.0.tgz". */
export function tarballName({ name, version }: Pick<PinnedPackage, "name" | "version">): string {
  return `${name.replace(/^@/, "").replaceAll("/", "-")}-${version}.tgz`;
}

async function checkIntegrity(file: string, { name, version, integrity }: PinnedPackage): Promise<void> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new DataError(`${name}@${version}: expected npm to write ${basename(file)}, got no such file`, undefined, {
      cause,
    });
  });
  const got = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  if (got !== integrity) {
    throw new DataError(
      `${name}@${version}: expected integrity ${integrity}, got ${got}`,
      "the registry served another tarball than the one pinned in starter/package-lock.json; try npm cache verify, or another registry",
    );
  }
}

/** npm cannot start without a home folder: a user that has none gets one for the time being. */
function withHome(folder: string): NodeJS.ProcessEnv {
  try {
    homedir();
    return process.env;
  } catch {
    return { ...process.env, HOME: folder };
  }
}

function run(
  { file, args }: Command,
  more: readonly string[],
  { signal, env }: { readonly signal: AbortSignal | undefined; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const shell = file.endsWith(".cmd");
    const quoted = [...args, ...more].map((argument) => (shell ? `"${argument}"` : argument));
    const child = spawn(file, quoted, { stdio: ["ignore", "ignore", "pipe"], shell, env, ...(signal && { signal }) });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    child.on("error", (cause) => {
      if (signal?.aborted) return reject(signal.reason);
      reject(
        new DataError(
          `npm: expected to run ${file}, got ${cause.message}`,
          "install npm (it comes with Node), or put it on the PATH",
          { cause },
        ),
      );
    });
    child.on("close", (code) => {
      if (code === 0) return resolve();
      if (signal?.aborted) return reject(signal.reason);
      const why = said.trim() || "it said nothing";
      reject(new DataError(`npm pack: expected exit code 0, got ${code}: ${why}`, npmHelp(why)));
    });
  });
}

function npmHelp(said: string): string {
  if (/ENOTCACHED/.test(said))
    return "the packages are not in npm's cache: run once with a network (without --offline)";
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET|network/i.test(said)) {
    return "no registry was reached: see npm config get registry, npm ping, and the proxy settings in your .npmrc";
  }
  if (/E401|E403|ENEEDAUTH/.test(said))
    return "the registry asks for credentials: npm login, or set them in your .npmrc";
  if (/E404|ETARGET/.test(said))
    return "the registry lacks this version: a mirror may be incomplete; try another registry";
  return "run the same npm pack by hand to see more";
}
