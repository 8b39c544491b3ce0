/** `flava search FOLDER "words"`: the pictures of a folder that fit words or another picture. */
import type { Command } from "commander";
import { action, type Io } from "./command.ts";
import { positive } from "./numbers.ts";
import { type ModelOptions, withModel } from "./use-model.ts";

/** What can be asked of a search. */
export interface SearchOptions extends ModelOptions {
  readonly image?: string;
  readonly top: number;
  readonly html?: string;
  readonly rerank?: number;
  readonly index?: string;
  readonly approximate?: boolean;
  readonly exact?: boolean;
  readonly timings?: boolean;
  readonly bad?: string;
  readonly workers?: number;
}

const HELP = `
The first search of a folder embeds its pictures; what it finds out is kept in FOLDER/.flava-index (see docs/search.md).
Later ones look only into files that are new or changed. Without words or a picture the folder is only indexed.

Examples:
  flava search photos/ a dog on a beach
  flava search photos/ --image my-dog.jpg --top 20
  flava search photos/ "two people in the rain" --rerank 50 --html results.html
  flava search photos/ --json --timings "a red car"`;

export function define(program: Command): void {
  withModel(
    program
      .command("search")
      .summary("the pictures of a folder that fit words or a picture")
      .description("Finds the pictures of a folder that fit some words, or that are like another picture.")
      .argument("<folder>", "where the pictures are, all folders below it included")
      .argument("[words...]", "what to look for")
      .option("--image <file>", "look for pictures like this one, or like the one at this address")
      .option("--top <n>", "how many are shown", positive, 10)
      .option("--rerank <n>", "let the multimodal encoder judge the first n, and order them by that", positive)
      .option("--html <file>", "write a page with the pictures")
      .option("--index <dir>", "where the index is kept (default: FOLDER/.flava-index)")
      .option("--approximate", "use an approximate index (the package usearch)")
      .option("--exact", "compare with every picture, however many there are")
      .option("--timings", "say how long everything took")
      .option("--bad <file>", "list files that are no pictures in this JSON Lines file")
      .option("--workers <n>", "threads that decode pictures", positive),
  )
    .addHelpText("after", HELP)
    .action(
      action<SearchOptions>(async (io: Io, words, options) =>
        (await import("./search-run.ts")).search(io, words, options),
      ),
    );
}
