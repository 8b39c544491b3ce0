/** The `flava` command, once bin.ts has found that this Node can run it. */
import { CommanderError } from "commander";
import { writeError } from "../io/index.ts";
import { EXIT, report as reportError } from "./command.ts";
import { createProgram } from "./program.ts";

async function main(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    return reportError(error);
  }
}

/** A reader that is gone: `| head` has seen enough, or the terminal was closed. The work continues; nobody sees its output. */
const GONE = /^(EPIPE|EIO|ECONNRESET|ERR_STREAM_DESTROYED)$/;

process.stderr.on("error", () => undefined);
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (!GONE.test(error.code ?? "")) process.exitCode = reportError(writeError("stdout", error));
});
process.on("uncaughtException", (error) => process.exit(reportError(error)));
process.exitCode = (await main(process.argv)) || process.exitCode;
