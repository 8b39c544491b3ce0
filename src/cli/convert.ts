/** `flava convert IN OUT`: weights in any format that is read, as others read them. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { action } from "./command.ts";

const LAYOUTS = ["huggingface", "torchmultimodal", "openai-dvae", "dino"];

const EXAMPLES = `
Examples:
  flava convert pytorch_model.bin flava-safetensors          a checkpoint of torch, nothing of it executed
  flava convert facebook/flava-full flava-half --dtype fp16  from the Hub, in half the bytes
  flava convert dino_vitbase16_pretrain.pth vit              a DINO encoder as FLAVA's image encoder
  flava convert runs/starter tmm --layout torchmultimodal    a run's model for another code base`;

/** Options that say which of several things is meant; `flava inspect` has them too. */
export const addChoice = (command: Command): Command =>
  command
    .option("--revision <name>", "a branch, tag or commit of a repository of the Hub")
    .option("--variant <name>", "part of the files' names: fp16 for model.fp16.safetensors")
    .option("--entry <key>", "which dict of tensors, where a checkpoint of torch holds several: student");

/** Adds the command. */
export function define(program: Command): void {
  const command = program
    .command("convert")
    .summary("weights of any readable format → a safetensors repository")
    .description(
      "Reads safetensors, sharded weights and checkpoints of torch (FLAVA's as Hugging Face or torchmultimodal name them, OpenAI's dVAE, DINO's ViT), and writes safetensors with config.json, preprocessor_config.json and the tokenizer's files.",
    )
    .argument("<in>", "a file of weights, a folder, a run, or a repository of the Hub")
    .argument("<out>", "a folder for the result")
    .addOption(
      new Option("--dtype <dtype>", "what floats are stored in (default: as they are)").choices([
        "fp32",
        "fp16",
        "bf16",
      ]),
    )
    .addOption(new Option("--layout <name>", "whose names the tensors get").choices(LAYOUTS).default("huggingface"))
    .option("--max-shard-size <size>", "largest file, such as 5GB or 200MB; more are written with an index", bytes, 5e9)
    .option("--drop-unknown", "leave out tensors that are not of this model, instead of refusing the file")
    .option("--overwrite", "replace the weights that OUT holds")
    .addHelpText("after", EXAMPLES);
  addChoice(command).action(
    action(async (io, args, options) => (await import("./convert-model.ts")).convert(io, args, options as never)),
  );
}

/** "5GB", "200MB", "1.5GiB" → bytes. */
function bytes(text: string): number {
  const [, number, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]i?b?|b)?\s*$/i.exec(text) ?? [];
  const power = unit === "" ? 0 : "kmgt".indexOf(unit.charAt(0).toLowerCase()) + 1;
  const size = Math.floor(Number(number) * (/i/i.test(unit) ? 1024 : 1000) ** power);
  if (!(size > 0)) throw new InvalidArgumentError("expected a size such as 5GB or 200MB");
  return size;
}
