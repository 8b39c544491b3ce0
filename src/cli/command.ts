/** What every command shares: where it prints, how it is cancelled, and how its failures end the process. */
import { constants } from "node:os";
import type { Command } from "commander";
import { FlavaError } from "../errors.ts";
import { systemError } from "../io/index.ts";
import { createProgress, type Progress, type ProgressOptions } from "./progress.ts";
import { onStop } from "./signals.ts";

/** What a command works with besides its arguments. */
export interface Io {
  /** Fires at the first Ctrl-C, SIGTERM or SIGHUP. */
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

/** Exit codes besides 0. A command that a signal ended has 128 and the signal's number, as in a shell: 130 after Ctrl-C. */
export const EXIT: { readonly failed: 1; readonly usage: 2 } = { failed: 1, usage: 2 };

/** What a command fails with when it was asked to stop. The message is the last line that is printed. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
  readonly signal: NodeJS.Signals;
  constructor(signal: NodeJS.Signals, message = "cancelled") {
    super(message);
    this.signal = signal;
  }
}

/** Makes a commander action of a command: `work` gets its arguments, then its options. */
export function action<O>(
  work: (io: Io, args: readonly string[], options: O) => Promise<void>,
): (...all: unknown[]) => Promise<void> {
  return async (...all) => {
    const command = all.at(-1) as Command;
    const { json = false, quiet = false } = command.optsWithGlobals() as { json?: boolean; quiet?: boolean };
    const cancel = new AbortController();
    const off = onStop((signal) => {
      if (!quiet) process.stderr.write("\nstopping; Ctrl-C again to stop at once\n");
      cancel.abort(new Cancelled(signal));
    });
    try {
      await work(io(cancel.signal, json, quiet), command.processedArgs.flat() as string[], command.opts() as O);
    } catch (error) {
      throw cancel.signal.aborted && !(error instanceof Cancelled) ? cancel.signal.reason : error;
    } finally {
      off();
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
export function report(failure: unknown, stderr: { write(text: string): unknown } = process.stderr): number {
  if (failure instanceof Cancelled) {
    stderr.write(`${failure.message}\n`);
    return 128 + constants.signals[failure.signal];
  }
  const error = systemError(failure);
  const known = error instanceof FlavaError;
  const stack = error instanceof Error && (!known || process.env.FLAVA_DEBUG) ? error.stack : undefined;
  if (stack !== undefined) stderr.write(`${stack}\n`);
  else stderr.write(`${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`);
  return known && error.code === "E_CONFIG" ? EXIT.usage : EXIT.failed;
}
