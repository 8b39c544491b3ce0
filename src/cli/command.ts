/** What every command shares: where it prints, how it is cancelled, and how its failures end the process. */
import type { Command } from "commander";
import { FlavaError } from "../errors.ts";
import { createProgress, type Progress, type ProgressOptions } from "./progress.ts";

/** What a command works with besides its arguments. */
export interface Io {
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Results as JSON for machines. */
  readonly json: boolean;
  /** Nothing but results and errors. */
  readonly quiet: boolean;
  /** A result, on stdout: the text, or with --json the value. */
  result(text: string, value: unknown): void;
  /** Anything else, on stderr. */
  note(text: string): void;
  progress(options: Omit<ProgressOptions, "quiet">): Progress;
}

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled. */
export const EXIT: { readonly failed: 1; readonly usage: 2; readonly cancelled: 130 } = {
  failed: 1,
  usage: 2,
  cancelled: 130,
};

/** The reason of the abort at Ctrl-C, and what a cancelled command fails with. */
const CANCELLED = new Error("cancelled");

/** Makes a commander action of a command: `work` gets its arguments, then its options. */
export function action<O>(
  work: (io: Io, args: readonly string[], options: O) => Promise<void>,
): (...all: unknown[]) => Promise<void> {
  return async (...all) => {
    const command = all.at(-1) as Command;
    const { json = false, quiet = false } = command.optsWithGlobals() as { json?: boolean; quiet?: boolean };
    const cancel = new AbortController();
    const onInterrupt = (): void => {
      if (cancel.signal.aborted) process.exit(EXIT.cancelled); // a second Ctrl-C does not wait
      if (!quiet) process.stderr.write("\nstopping; Ctrl-C again to stop at once\n");
      cancel.abort(CANCELLED);
    };
    process.on("SIGINT", onInterrupt);
    try {
      await work(io(cancel.signal, json, quiet), command.processedArgs.flat() as string[], command.opts() as O);
    } catch (error) {
      throw cancel.signal.aborted ? CANCELLED : error;
    } finally {
      process.off("SIGINT", onInterrupt);
    }
  };
}

function io(signal: AbortSignal, json: boolean, quiet: boolean): Io {
  return {
    signal,
    json,
    quiet,
    result: (text, value) => void process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text}\n`),
    note: (text) => void (quiet || process.stderr.write(`${text}\n`)),
    progress: (options) => createProgress({ ...options, quiet }),
  };
}

/** Prints a failure for people and gives the exit code. A stack is printed for bugs, and with FLAVA_DEBUG for all. */
export function report(error: unknown, stderr: { write(text: string): unknown } = process.stderr): number {
  if (error === CANCELLED) {
    stderr.write("cancelled\n");
    return EXIT.cancelled;
  }
  const known = error instanceof FlavaError;
  const stack = error instanceof Error && (!known || process.env.FLAVA_DEBUG) ? error.stack : undefined;
  if (stack !== undefined) stderr.write(`${stack}\n`);
  else stderr.write(`${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`);
  return known && error.code === "E_CONFIG" ? EXIT.usage : EXIT.failed;
}
