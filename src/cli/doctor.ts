/** `flava doctor`: what this machine has of what flava needs, and what to do about the rest. */
import type { Command } from "commander";
import { action } from "./command.ts";

const EXAMPLE = `
Example:
  flava doctor --quick
  mpirun -n 2 flava doctor --mpi
Exit code 1 says that something is broken that flava needs.`;

export function define(program: Command): void {
  program
    .command("doctor")
    .summary("what works here, what does not, and what to do")
    .description(
      "Looks at Node, engines, memory, the cache, the disk and the Hugging Face Hub, and measures the engines.",
    )
    .option("--quick", "measure nothing")
    .option("--mpi [library]", "look at MPI alone; under mpirun or srun, at how workers reach each other too")
    .addHelpText("after", EXAMPLE)
    .action(
      action<{ quick?: boolean; mpi?: string | true }>(async (io, _args, options) =>
        (await import("./doctor/run.ts")).doctor(io, options),
      ),
    );
}
