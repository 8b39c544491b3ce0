/** `flava finetune MODEL --data TABLE`: a model for one's own classes or numbers, of texts, pictures, or both. */
import { type Command, Option } from "commander";
import { deviceNames } from "../runtime/device-names.ts";
import { action, type Io } from "./command.ts";
import { natural, seedsOf, share } from "./numbers.ts";
import { collect } from "./use-model.ts";

export interface FinetuneOptions {
  readonly data: string;
  readonly validation?: string;
  readonly test?: string;
  readonly text?: string;
  readonly textPair?: string;
  readonly image?: string;
  readonly label?: string;
  readonly inputs?: "text" | "image" | "pair";
  readonly as: "auto" | "classes" | "number" | "answers";
  readonly share: number;
  readonly out?: string;
  readonly resume?: true;
  readonly best?: string;
  readonly set?: readonly string[];
  readonly seed: number;
  readonly seeds?: readonly number[];
  readonly fromScratch?: true;
  readonly dryRun?: true;
  readonly device?: string;
  readonly threads?: number;
  readonly cacheDir?: string;
  readonly outside?: true;
}

const HELP = `
DATA is a table (CSV, TSV, JSON Lines, parquet) with a column for what is learned, or a folder of pictures with a folder for each
class. Without --validation a tenth is held out, of each class alike. What was chosen for the settings is printed by --dry-run; each
of them can be set: --set epochs=3 --set lr=1e-4.

Examples:
  flava finetune runs/starter --data reviews.csv --text review --label stars --out runs/reviews
  flava finetune runs/starter --data reviews.csv --text review --label stars --as number --seeds 0,1,2
  flava finetune facebook/flava-full --data pairs.tsv --text premise --text-pair hypothesis --label relation
  flava finetune facebook/flava-full --data photos/ --set layerDecay=0.8 --set patience=3
  flava finetune facebook/flava-full --data memes.jsonl --image img --text text --label hateful --best auroc
  flava predict runs/reviews "I would buy it again"`;

export function define(program: Command): void {
  program
    .command("finetune")
    .summary("labelled texts, pictures or both → a model for them")
    .description(
      "Trains a model further, with a head of its own, to tell classes or numbers from texts, pairs of texts, pictures, or pictures with texts. The folder that it writes opens in pipelines and in flava predict.",
    )
    .argument("<model>", "a run's folder, a model's folder, or a repository of the Hub")
    .requiredOption("--data <source>", "labelled samples to learn from")
    .option("--validation <source>", "labelled samples that choose the best checkpoint (default: some held out)")
    .option("--test <source>", "labelled samples that are measured once, at the end")
    .option("--text <column>", "the column with the text")
    .option("--text-pair <column>", "the column with the second text, where each sample is a pair")
    .option("--image <column>", "the column with the path, address or bytes of the picture")
    .option("--label <column>", 'the column with what is learned (default: "label")')
    .addOption(
      new Option("--inputs <kind>", "what is read, where no column says it").choices(["text", "image", "pair"]),
    )
    .addOption(
      new Option("--as <kind>", "what labels are: classes, numbers, or answers of several people, one a line")
        .choices(["auto", "classes", "number", "answers"])
        .default("auto"),
    )
    .option("--share <share>", "share of the samples that is held out for validation", share, 0.1)
    .option("--out <dir>", "folder of the run and the model (default: runs/finetune-DATA)")
    .option("--resume", "go on with the run in --out")
    .option("--best <figure>", "what chooses the best checkpoint: accuracy, auroc, pearson, … (default: by the labels)")
    .option("--set <key=value>", "change a setting; may be given again", collect)
    .option("--seed <n>", "of everything that is drawn", natural, 0)
    .option("--seeds <list>", "a run for each seed, with commas between, and their mean and spread", seedsOf)
    .option("--from-scratch", "draw the weights anew, to see what the model's are worth")
    .option("--dry-run", "say what would be done, and stop")
    .addOption(new Option("--device <name>", "what computes").choices(deviceNames))
    .option("--threads <n>", "threads of one operator (default: all processors)", natural)
    .option("--cache-dir <dir>", "where fetched data is kept")
    .option("--outside", "let a table name pictures outside of its folder")
    .addHelpText("after", HELP)
    .action(
      action<FinetuneOptions>(async (io: Io, [model], options) =>
        (await import("./finetune-run.ts")).run(io, model!, options),
      ),
    );
}
