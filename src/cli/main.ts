/**
 * The `flava` command, once bin.ts has found that this Node can run it. Each verb is a file that exports `define(program)` and
 * imports its rooms when it runs.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { writeError } from "../io/index.ts";
import { define as classify } from "./classify.ts";
import { EXIT, report as reportError } from "./command.ts";
import { define as compare } from "./compare.ts";
import { define as convert } from "./convert.ts";
import { define as data } from "./data.ts";
import { define as embed } from "./embed.ts";
import { define as exportModel } from "./export.ts";
import { define as fill } from "./fill.ts";
import { define as inspect } from "./inspect.ts";
import { define as match } from "./match.ts";
import { definePretrain } from "./pretrain.ts";
import { define as probe } from "./probe.ts";
import { define as report } from "./report.ts";
import { define as search } from "./search.ts";
import { define as table } from "./table.ts";

/** A new verb is a new entry here. */
const VERBS: readonly ((program: Command) => void)[] = [
  definePretrain(() => import("./pretrain-run.ts")),
  embed,
  classify,
  match,
  fill,
  search,
  exportModel,
  data,
  report,
  compare,
  probe,
  table,
  convert,
  inspect,
];

function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const program = new Command("flava")
    .description("FLAVA, the foundational language and vision alignment model (arXiv 2112.04482).")
    .version(version, "-V, --version")
    .option("--json", "print results as JSON")
    .option("--quiet", "print nothing but results and errors")
    .showSuggestionAfterError()
    .showHelpAfterError("(add --help to see what is possible)")
    .exitOverride();
  for (const define of VERBS) define(program);
  return program;
}

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
