/** `flava inspect PATH|REPO`: tensors, sizes and configuration of weights. */
import type { Command } from "commander";
import { action } from "./command.ts";
import { addChoice } from "./convert.ts";

const EXAMPLES = `
Examples:
  flava inspect facebook/flava-full          a repository of the Hub
  flava inspect runs/starter                 the model of a run
  flava inspect pytorch_model.bin --json     a checkpoint of torch, nothing of it executed
  flava inspect onnx/vision_model.onnx       an exported graph`;

/** Adds the command. */
export function define(program: Command): void {
  const command = program
    .command("inspect")
    .summary("what a file or repository of weights holds")
    .description(
      "Prints format, layout, sizes and tensors of weights, what is missing or not of the model, and what else is in the file. Only headers are read.",
    )
    .argument("<path|repo>", "a file of weights, an ONNX file, a folder, a run, or a repository of the Hub")
    .option("--all", "every tensor on a line of its own")
    .addHelpText("after", EXAMPLES);
  addChoice(command).action(
    action(async (io, args, options) => (await import("./inspect-model.ts")).inspect(io, args, options as never)),
  );
}
