/** `flava report RUN`: a run folder → one HTML page with curves and pictures, and on demand a model card. */
import type { Command } from "commander";
import { action } from "./command.ts";

interface Options {
  readonly output?: string;
  readonly card?: boolean;
  readonly license?: string;
}

export function define(program: Command): void {
  program
    .command("report")
    .summary("a run folder → one HTML page with curves and pictures")
    .description(
      "Writes report.html: the curves, pictures and numbers of a run, finished or not, on one page without network.",
    )
    .argument("<run>", "the run's folder")
    .option("--output <file>", "where to write the page; report.html in the run's folder unless given")
    .option("--card", "write card.md, the model card, as well")
    .option("--license <id>", "licence that the card names, as the Hugging Face Hub spells it")
    .addHelpText("after", "\nExample:\n  flava report runs/starter --card --license cc-by-4.0")
    .action(
      action<Options>(async (io, [run], { output, card, license }) => {
        const { writeCard, writeReport } = await import("../report/index.ts");
        const written = { report: await writeReport(run!, { output, signal: io.signal }) };
        const all = card ? { ...written, card: await writeCard(run!, { license, signal: io.signal }) } : written;
        io.result(Object.values(all).join("\n"), all);
      }),
    );
}
