/**
 * A plugin is tried in a process of its own before it is loaded here: what it does not like, an unknown XLA_FLAGS for one, ends a process
 * without a word to its caller. Done once for a plugin, its options and its environment; a file says so to later processes.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError, settled } from "../../errors.ts";
import { flavaCache, makeFolder, saveFile } from "../../io/index.ts";
import { type ClientOptions, createClient, fileIdentity } from "./create-client.ts";
import type { Found } from "./find.ts";
import { loadPjrt } from "./pjrt.ts";

/** What is tried. */
export interface Trial {
  readonly found: Found;
  readonly options: ClientOptions;
  /** Where it is noted what has passed. Default: `compiled/xla/` in the cache folder. */
  readonly folder?: string | undefined;
}

/** Tells the process what it is for: bundled into a program, this file is that program. */
const ARGUMENT = "--flava-try-plugin";
/** Set in that process, which tries nothing itself, whatever else a bundle has it do. */
const IN_TRIAL = "FLAVA_IN_TRIAL";
const TIMEOUT_MS = 120_000;
/** Of what the plugin printed before it ended its process. */
const LAST_CHARACTERS = 600;

/** Throws EngineError for a plugin that ends its process or does not answer. One that answers with an error has passed: it says so here too. */
export async function tryPlugin({
  found,
  options,
  folder = join(flavaCache(), "compiled", "xla"),
}: Trial): Promise<void> {
  if (process.env[IN_TRIAL] || !existsSync(found.path) || !existsSync(compiledFile())) return; // the loader says it; sources that nobody has built
  const what = JSON.stringify([
    await fileIdentity(found.path),
    found,
    options,
    process.env.XLA_FLAGS ?? "",
    process.version,
  ]);
  const note = join(folder, `${createHash("sha256").update(what).digest("hex")}.tried`);
  if (existsSync(note)) return;
  const { ended, said } = await run(JSON.stringify({ found, options }));
  if (ended !== undefined)
    throw new EngineError(
      `xla: ${found.path}: expected a plugin that can be opened, got one that ${ended}${said ? `: ${said}` : ""}`,
      process.env.XLA_FLAGS
        ? `look at XLA_FLAGS, which is ${process.env.XLA_FLAGS}, and at the driver; this process goes on`
        : "look at the driver and at what the plugin needs besides; this process goes on",
    );
  await settled(makeFolder(folder).then(() => saveFile(note, ""))); // where nothing can be written it is tried again
}

/** Runs this file as a process; `ended` says how it ended where it did not end well. */
function run(argument: string): Promise<{ ended: string | undefined; said: string }> {
  const child = spawn(process.execPath, ["--no-warnings", compiledFile(), ARGUMENT, argument], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, [IN_TRIAL]: "1" },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-LAST_CHARACTERS);
  });
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    const done = (ended: string | undefined): void => {
      clearTimeout(late);
      resolve({ ended, said: said.trim().replace(/\s*\n\s*/g, " | ") });
    };
    child.on("error", () => done(undefined)); // no process can be started here: it goes without
    child.on("close", (code, signal) => {
      if (signal !== null) done(`ended its process with ${signal}`);
      else done(code === 0 ? undefined : `ended its process with code ${code}`);
    });
  });
}

/** This file, as a process runs it: the compiled one beside the sources. */
const compiledFile = (): string =>
  fileURLToPath(import.meta.url).replace(/([/\\])src([/\\])(?!.*[/\\]src[/\\])(.*)\.ts$/, "$1dist$2$3.js");

/** In the process of its own. Errors are fine: whoever opens the plugin next gets them. */
async function openHere(argument: string): Promise<void> {
  const { found, options } = JSON.parse(argument) as Trial;
  await settled(loadPjrt(found.path, found.needs).then((pjrt) => createClient(pjrt, options)));
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === ARGUMENT)
  await openHere(process.argv[3] ?? "{}");
