/** The commands of `flava`, put together. Each verb is a file that exports `define(program)` and imports its rooms when it runs. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { define as ablate } from "./ablate.ts";
import { define as attention } from "./attention.ts";
import { define as classify } from "./classify.ts";
import { define as compare } from "./compare.ts";
import { define as completion } from "./completion.ts";
import { define as convert } from "./convert.ts";
import { define as data } from "./data.ts";
import { define as doctor } from "./doctor.ts";
import { define as embed } from "./embed.ts";
import { define as engine } from "./engine.ts";
import { define as evaluate } from "./eval.ts";
import { define as exportModel } from "./export.ts";
import { define as fill } from "./fill.ts";
import { define as finetune } from "./finetune.ts";
import { define as inspect } from "./inspect.ts";
import { define as match } from "./match.ts";
import { define as neighbours } from "./neighbours.ts";
import { define as newRecipe } from "./new.ts";
import { define as plan } from "./plan.ts";
import { define as predict } from "./predict.ts";
import { definePretrain } from "./pretrain.ts";
import { define as probe } from "./probe.ts";
import { define as report } from "./report.ts";
import { define as search } from "./search.ts";
import { define as table } from "./table.ts";

/** A new verb is a new entry here. */
const VERBS: readonly ((program: Command) => void)[] = [
  definePretrain(() => import("./pretrain-run.ts")),
  newRecipe,
  plan,
  embed,
  classify,
  match,
  attention,
  fill,
  neighbours,
  search,
  exportModel,
  data,
  report,
  compare,
  probe,
  finetune,
  predict,
  evaluate,
  table,
  ablate,
  convert,
  inspect,
  doctor,
  engine,
  completion,
];

/** Commands that write a folder as one process, and would do so several times under an MPI launcher. */
const ALONE: ReadonlySet<string> = new Set(["finetune", "probe", "eval", "ablate"]);

const EXAMPLES = `
Examples:
  flava pretrain recipes/starter.yaml
  flava search photos/ "a dog on a beach"
  flava doctor`;

const VERSION = "--version";

/** The program's --version, except where a command has an option of that name. */
class Program extends Command {
  override parseOptions(argv: string[]): ReturnType<Command["parseOptions"]> {
    const at = argv.findIndex((word) => word === VERSION || word.startsWith(`${VERSION}=`));
    const command = called(this, argv.slice(0, Math.max(0, at)));
    if (command === this || !command.options.some(({ long }) => long === VERSION)) return super.parseOptions(argv);
    const [before, after] = [super.parseOptions(argv.slice(0, at)), super.parseOptions(argv.slice(at + 1))];
    return { operands: before.operands, unknown: [...before.unknown, argv[at]!, ...after.operands, ...after.unknown] };
  }
}

/** The command that some words call. */
const called = (program: Command, words: readonly string[]): Command =>
  words.reduce((at, word) => at.commands.find((command) => command.name() === word) ?? at, program);

/** The whole command line, not run yet. */
export function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const program = new Program("flava")
    .description("FLAVA, the foundational language and vision alignment model (arXiv 2112.04482).")
    .version(version, "-V, --version")
    .option("--json", "print results as JSON")
    .option("--quiet", "print nothing but results and errors")
    .addHelpText("after", EXAMPLES)
    .showSuggestionAfterError()
    .showHelpAfterError("(add --help to see what is possible)")
    .exitOverride()
    .hook("preAction", async (_program, command) => {
      if (ALONE.has(command.name())) (await import("./job.ts")).checkAlone(command.name());
    });
  for (const define of VERBS) define(program);
  return program;
}
