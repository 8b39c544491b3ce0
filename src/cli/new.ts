/** `flava new SOURCE`: from data to a recipe. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { action } from "./command.ts";
import { SOURCES } from "./data.ts";
import { natural } from "./numbers.ts";

const EXAMPLES = `

Examples:
  flava new captions.csv --images photos/ --minutes 60 --out recipes/photos.yaml
  flava new photos/ --ignore-captions --size tiny`;

export function define(program: Command): void {
  program
    .command("new")
    .summary("your own data → a recipe that trains on it")
    .description(
      "Looks at data and machine, holds some of the data out, writes a commented recipe, and says what training will take.",
    )
    .argument(
      "<source>",
      "pictures with captions (a table, tar shards, a folder with text files), pictures alone, or texts",
    )
    .option("--images <dir>", "where the pictures of a table lie; else further pictures, without captions")
    .option("--texts <file>", "texts for the text encoder")
    .option(
      "--val <source>",
      "held-out pairs of your own; else a tenth of the source, at most 500 samples, is held out",
    )
    .addOption(
      new Option("--size <name>", "how large the model is").choices(["tiny", "small", "base"]).default("small"),
    )
    .option("--minutes <n>", "how long training may take", minutes, 30)
    .option("--out <recipe.yaml>", "the recipe's file; called after the source unless given")
    .option("--seed <n>", "which samples are held out", natural, 0)
    .option("--image-column <name>", "the column or key of a table that names the picture")
    .option("--text-column <name>", "the column or key of a table that has the caption")
    .option("--outside", "let the table name pictures out of its own folder or server")
    .option("--ignore-captions", "train on the pictures alone")
    .option("--force", "replace a recipe and held-out sets that are there")
    .addHelpText("after", `${SOURCES}${EXAMPLES}`)
    .action(action(async (io, args, options) => (await import("./new-run.ts")).run(io, args, options as never)));
}

function minutes(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < 1e7)) throw new InvalidArgumentError("expected minutes above 0");
  return value;
}
