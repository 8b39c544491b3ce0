/** npm as a stranger's shell would start it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Without what `npm test` adds, this project's settings among it. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) || /^npm_config_(registry|userconfig|globalconfig|cache|cafile)$/i.test(name),
  ),
);

/** What a command gave. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams. */
  readonly output: string;
}

/** Runs it in a folder. */
export function run(folder: string, command: string, ...args: string[]): Ran {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env: environment, encoding: "utf8" });
  return { status, stdout, output: stdout + stderr };
}

/** Whether the registry cannot be reached. */
export function isOffline(): boolean {
  const ask = ["view", "koffi", "version", "--fetch-retries=0", "--fetch-timeout=10000"];
  return run(tmpdir(), "npm", ...ask).status !== 0;
}

/** A new project with this package, packed, and others from the registry. Throws where npm fails. */
export function installedProject(packages: readonly string[], flags: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "flava-installed-"));
  const must = (ran: Ran): void => {
    if (ran.status !== 0) throw new Error(ran.output);
  };
  must(run(process.cwd(), "npm", "pack", "--ignore-scripts", "--pack-destination", folder));
  const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
  must(run(folder, "npm", "install", ...flags, tarball, ...packages));
  return folder;
}
