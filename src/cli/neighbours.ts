/** `flava neighbours MODEL WORD…`: the words that a model puts nearest to others. */
import type { Command } from "commander";
import type { FlavaModel } from "../api/index.ts";
import { DataError } from "../errors.ts";
import { action, type Io } from "./command.ts";
import { positive } from "./numbers.ts";
import { type ModelOptions, openUsed, sayUnknown, table, withEngine } from "./use-model.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const evaluators = () => import("../evaluators/index.ts");

interface Options extends Omit<ModelOptions, "model"> {
  readonly among?: string;
  readonly top: number;
}

/** Words of the vocabulary that are compared where no file is given. */
const COMMONEST = 2000;

const HELP = `
Words are compared by the cosine of their text_embeds. A model without them, such as a text stage's, is asked for the mean of its last
hidden state over the word's tokens; "by" in the JSON says which it was. The model is a run's folder, a model's folder, or a repository of
the Hub.

Examples:
  flava neighbours runs/starter strawberry garlic "fire engine"
  flava neighbours facebook/flava-full strawberry --among words.txt --top 10 --json`;

export function define(program: Command): void {
  withEngine(
    program
      .command("neighbours")
      .summary("the words that a model puts nearest to others")
      .description("Shows what a model has made of words: for each, those that its text encoder puts nearest.")
      .argument("<model>", "a run's folder, a model's folder, or a repository of the Hub")
      .argument("<words...>", "one word or several, or phrases")
      .option(
        "--among <file>",
        `the words to choose from, one a line (default: the first ${COMMONEST} of the vocabulary)`,
      )
      .option("--top <n>", "words shown for each", positive, 5),
  )
    .addHelpText("after", HELP)
    .action(action<Options>(neighbours));
}

async function neighbours(io: Io, [name = "", ...words]: readonly string[], options: Options): Promise<void> {
  const { nearestWords, textVectorOf } = await evaluators();
  const given = options.among === undefined ? undefined : await listOf(options.among);
  await using model = await openUsed(io, { ...options, model: name });
  await sayUnknown(io, model, words);
  const among = given ?? vocabularyWords(model);
  const by = textVectorOf(model);
  if (by === "mean")
    io.note("the model has no text_embeds: words are compared by the mean of their tokens' hidden states");
  const { top } = options;
  const found = await nearestWords(model, words, { among, top, by, signal: io.signal });
  const rows = found.map(({ word, neighbours: near }) => [
    word,
    near.map(({ text, cosine }) => `${text} (${cosine.toFixed(2)})`).join(", ") || "not a word that the model knows",
  ]);
  io.result(table(rows), { model: name, by, among: among.length, words: found });
}

async function listOf(path: string): Promise<string[]> {
  const { readLinesOf } = await import("./lists.ts");
  const lines = (await readLinesOf(path)).map(({ text }) => text);
  if (lines.length === 0) throw new DataError(`--among ${path}: expected a word on each line, got none`);
  return lines;
}

/** Whole words of three letters or more, in the vocabulary's order: BERT's has the commonest first. */
function vocabularyWords({ processor: { tokenizer } }: FlavaModel): string[] {
  const words = tokenizer?.vocabulary.filter((entry) => /^\p{L}{3,}$/u.test(entry)) ?? [];
  return words.slice(0, COMMONEST);
}
