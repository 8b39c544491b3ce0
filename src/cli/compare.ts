/** `flava compare RUN RUN…`: the results of several runs side by side, with mean and deviation. */
import type { Command } from "commander";
import { action } from "./command.ts";

export function define(program: Command): void {
  program
    .command("compare")
    .summary("several runs → their results side by side, mean and deviation")
    .description(
      "Prints a Markdown table of the results of runs that are done, with mean and standard deviation over them, and the recipe keys in which they differ.",
    )
    .argument("<run...>", "folders of runs, for example the same recipe with other seeds")
    .addHelpText("after", "\nExample:\n  flava compare runs/seed-1 runs/seed-2 runs/seed-3")
    .action(
      action<object>(async (io, runs) => {
        const { compareRuns, comparisonTable } = await import("../report/index.ts");
        const comparison = await compareRuns(runs);
        io.result(comparisonTable(comparison), comparison);
      }),
    );
}
