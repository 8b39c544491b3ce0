/** The command line as its own process: run to the end, or ended from outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { random } from "../../src/tensor/index.ts";
import { TINY_RUN } from "./tiny-run.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Two stages, the second from the first, that save every step: much of the time goes into saving. */
const { text, joint } = TINY_RUN.stages;
const OFTEN = { steps: 6, every: { log: 2, eval: 3, save: 1 }, saveTotalLimit: 2 };
export const KILL_STEPS = { text: 6, joint: 6 };

/** Writes the recipe of the runs of a test as a file. */
export async function writeRecipe(path: string): Promise<string> {
  const stages = { text: { ...text, ...OFTEN }, joint: { ...joint, ...OFTEN, init: { text: "text" } } };
  await writeFile(path, JSON.stringify({ ...TINY_RUN, data: { ...TINY_RUN.data, workers: 1 }, stages }));
  return path;
}

/** Starts `flava pretrain`; `shell` puts it behind a bash command. */
export function flava(args: readonly string[], shell?: string): { child: ChildProcess; ended: Promise<Ended> } {
  const command = [process.execPath, MAIN, "pretrain", ...args];
  const child = shell
    ? spawn("bash", ["-c", `${shell}; exec "$@"`, "bash", ...command])
    : spawn(command[0]!, command.slice(1));
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Resolves when `isTrue`, asked every few milliseconds, or when the process has ended. */
export async function until(isTrue: () => boolean, ended: Promise<Ended>): Promise<void> {
  let over = false;
  const noted = ended.then(() => {
    over = true;
  });
  while (!over && !isTrue()) await Promise.race([noted, new Promise((resolve) => setTimeout(resolve, 2))]);
}

/** Unfinished checkpoints in the stages of a run. */
export const unfinished = (runDir: string): string[] =>
  Object.keys(KILL_STEPS).flatMap((stage) => {
    const folder = join(runDir, stage);
    return existsSync(folder) ? readdirSync(folder).filter((name) => /checkpoint-.*\.(partial|old)$/.test(name)) : [];
  });

export interface Killing {
  /** How many kills. */
  readonly kills: number;
  /** How long a run takes: kills fall at random within it. */
  readonly runMs: number;
  readonly seed: number;
}

/** Whether a process refused to go on because the run it was given is done. */
const isDone = (stderr: string): boolean => /the run in .* is done/.test(stderr);

/**
 * Runs into `runDir`, killed again and again: every other time as soon as a checkpoint is half written, else at a random moment.
 * After each kill it goes on from the latest checkpoint; at last it is let run to its end. Resolves to what each kill left half
 * written. Throws where a process ends in any other way than by the kill or well.
 */
export async function runKilled(recipe: string, runDir: string, { kills, runMs, seed }: Killing): Promise<string[][]> {
  const rng = random(seed, "kill");
  const left: string[][] = [];
  const args = (): string[] => {
    const begun = existsSync(join(runDir, "recipe.json"));
    return [recipe, "--run-dir", runDir, "--quiet", ...(begun ? ["--resume", "latest"] : [])];
  };
  for (let kill = 0; kill < kills; kill++) {
    const { child, ended } = flava(args());
    const moment = Date.now() + rng.uniform() * runMs;
    const whileSaving = kill % 2 === 0;
    const known = new Set(unfinished(runDir));
    await until(() => (whileSaving ? unfinished(runDir).some((name) => !known.has(name)) : Date.now() > moment), ended);
    child.kill("SIGKILL");
    const { code, stderr } = await ended;
    left.push(unfinished(runDir));
    // The run was done before its moment: this time, or the time before, when the kill fell between its last write and its end.
    if (code === 0 || isDone(stderr)) return left;
    if (code !== null) throw new Error(`seed ${seed}, kill ${kill}: exit code ${code}\n${stderr}`);
  }
  const { code, stderr } = await flava(args()).ended;
  if (code !== 0 && !isDone(stderr)) throw new Error(`seed ${seed}: exit code ${code}\n${stderr}`);
  return left;
}
