/** Runs a command of the command line in this process: what it prints, and what it fails with. */
import { Command } from "commander";

/** What a command did. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly error: Error | undefined;
  /** Standard output as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  readonly json: any;
}

/** Parses `args` with these verbs and runs them. */
export async function runCommand(
  verbs: readonly ((program: Command) => void)[],
  ...args: readonly string[]
): Promise<Ran> {
  const program = new Command("flava").option("--json").option("--quiet").exitOverride();
  for (const define of verbs) define(program);
  const printed = { stdout: "", stderr: "" };
  const real = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const)
    process[name].write = ((text: string | Uint8Array) => {
      printed[name] += String(text);
      return true;
    }) as typeof process.stdout.write;
  let error: Error | undefined;
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (failure) {
    error = failure as Error;
  } finally {
    process.stdout.write = real.stdout;
    process.stderr.write = real.stderr;
  }
  return {
    ...printed,
    error,
    get json() {
      return JSON.parse(printed.stdout);
    },
  };
}
