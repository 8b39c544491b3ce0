/** What pip has been told, read where pip reads it, so that mirrors and credentials need be set once (pip's user guide, "Configuration"). */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { FileError } from "../errors.ts";
import { isSet, systemReason, withHome } from "../io/index.ts";

/** What of pip's configuration says where packages come from. */
export interface PipConfig {
  /** Addresses of indexes, the main one first; credentials may stand in them. */
  readonly indexes: readonly string[];
  /** Folders with wheels, and pages that link to some. */
  readonly findLinks: readonly string[];
  /** Hosts, with or without a port, that are trusted without https. */
  readonly trustedHosts: readonly string[];
  /** A file of certificates. */
  readonly cert: string | undefined;
  readonly proxy: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly retries: number | undefined;
  /** The files that were read. */
  readonly files: readonly string[];
}

const PYPI = "https://pypi.org/simple";

type Values = Map<string, string>;

/** Reads pip's files and variables. Throws FileError for a file that pip was told of and that is not there. */
export async function readPipConfig(
  env: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
): Promise<PipConfig> {
  const values: Values = new Map();
  const files: string[] = [];
  for (const path of pipFiles(env, home)) {
    const text = await readIfThere(path, path === env.PIP_CONFIG_FILE);
    if (text === undefined) continue;
    files.push(path);
    for (const [key, value] of parseIni(text)) values.set(key, value);
  }
  for (const [name, value] of Object.entries(env))
    if (name.startsWith("PIP_") && value) values.set(name.slice(4).toLowerCase().replaceAll("_", "-"), value);
  const list = (key: string): string[] => (values.get(key) ?? "").split(/\s+/).filter(Boolean);
  const number = (key: string): number | undefined => {
    const n = Number(values.get(key));
    return values.has(key) && Number.isFinite(n) && n >= 0 ? n : undefined;
  };
  const main = values.get("index-url") ?? PYPI;
  const seconds = number("timeout") ?? number("default-timeout");
  return {
    indexes: isSet(values.get("no-index")) ? [] : [main, ...list("extra-index-url")],
    findLinks: list("find-links").map((place) => withHome(place, () => home)),
    trustedHosts: list("trusted-host"),
    cert: values.get("cert"),
    proxy: values.get("proxy"),
    timeoutMs: seconds === undefined ? undefined : 1000 * seconds,
    retries: number("retries"),
    files,
  };
}

/** In the order in which they are read; later ones win. */
function pipFiles(env: NodeJS.ProcessEnv, home: string): string[] {
  if (/^(\/dev\/null|nul)$/i.test(env.PIP_CONFIG_FILE ?? "")) return [];
  const name = process.platform === "win32" ? "pip.ini" : "pip.conf";
  const site = env.VIRTUAL_ENV || env.CONDA_PREFIX;
  return [
    ...systemFiles(env),
    ...userFiles(env, home),
    ...(site ? [join(site, name)] : []),
    ...(env.PIP_CONFIG_FILE ? [env.PIP_CONFIG_FILE] : []),
  ];
}

function systemFiles(env: NodeJS.ProcessEnv): string[] {
  if (process.platform === "win32") return [join(env.ProgramData || "C:\\ProgramData", "pip", "pip.ini")];
  if (process.platform === "darwin") return ["/Library/Application Support/pip/pip.conf"];
  const dirs = (env.XDG_CONFIG_DIRS || "/etc/xdg").split(":").filter(Boolean);
  return [...dirs.reverse().map((dir) => join(dir, "pip", "pip.conf")), "/etc/pip.conf"];
}

function userFiles(env: NodeJS.ProcessEnv, home: string): string[] {
  if (process.platform === "win32")
    return [join(home, "pip", "pip.ini"), join(env.APPDATA || join(home, "AppData", "Roaming"), "pip", "pip.ini")];
  const own = join(env.XDG_CONFIG_HOME || join(home, ".config"), "pip", "pip.conf");
  const mac = join(home, "Library", "Application Support", "pip", "pip.conf");
  return [join(home, ".pip", "pip.conf"), own, ...(process.platform === "darwin" ? [mac] : [])];
}

async function readIfThere(path: string, mustBe: boolean): Promise<string | undefined> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (!mustBe && /^(ENOENT|ENOTDIR|EACCES|EISDIR)$/.test(cause.code ?? "")) return undefined;
    throw new FileError(`${path}: expected pip's configuration, got ${systemReason(cause)}`, "see PIP_CONFIG_FILE", {
      cause,
    });
  });
}

/** The sections that `pip install` reads, the second over the first; lines that are indented go on with the value before. */
function parseIni(text: string): Values {
  const sections: Readonly<Record<string, Values>> = { global: new Map(), install: new Map() };
  let section = "";
  let last: string | undefined;
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    if (line.trim() === "" || /^\s*[#;]/.test(line)) continue;
    const head = /^\[([^\]]+)\]/.exec(line);
    const entry = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line);
    const values = sections[section];
    if (head) [section, last] = [head[1]!.trim(), undefined];
    else if (/^\s/.test(line) && last !== undefined) values?.set(last, `${values.get(last)}\n${line.trim()}`);
    else if (entry) {
      last = entry[1]!.toLowerCase().replaceAll("_", "-");
      values?.set(last, entry[2]!.trim());
    }
  }
  return new Map([...sections.global!, ...sections.install!]);
}
