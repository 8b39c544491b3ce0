/** `flava fill "a [MASK] on a beach"`: the words that fit best, from the text alone or with a picture beside it. */
import type { Command } from "commander";
import { DataError } from "../errors.ts";
import { action, type Io } from "./command.ts";
import { positive } from "./numbers.ts";
import { type ModelOptions, openUsed, percent, sayUnknown, table, withModel } from "./use-model.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const collections = () => import("../collections/index.ts");

interface Options extends ModelOptions {
  readonly image?: string;
  readonly top: number;
}

const HELP = `
Examples:
  flava fill "a [MASK] on a beach"
  flava fill "a [MASK] on a beach" --image beach.jpg --top 10 --json`;

export function define(program: Command): void {
  withModel(
    program
      .command("fill")
      .summary("the words that fit where a text says [MASK]")
      .description("Fills in each [MASK] of a text: from the text alone, or as a caption of a picture.")
      .argument("<text>", "a text with [MASK]")
      .option("--image <file>", "the picture that the text describes, or its address")
      .option("--top <n>", "words shown for each [MASK]", positive, 5),
  )
    .addHelpText("after", HELP)
    .action(action<Options>(fill));
}

async function fill(io: Io, [text = ""]: readonly string[], options: Options): Promise<void> {
  const { image, top } = options;
  if (!text.includes("[MASK]"))
    throw new DataError(
      `expected a text with [MASK], got ${JSON.stringify(text)}`,
      /[[<]mask[\]>]/i.test(text) ? "write it as [MASK]" : undefined,
    );
  const { loadInput } = await collections();
  const bytes = image === undefined ? undefined : await loadInput(image, io.signal);
  if (typeof bytes === "string") throw new DataError(`${image}: ${bytes}`);
  await using model = await openUsed(io, options);
  await sayUnknown(io, model, [text]);
  const picture = bytes && { key: image!, image: bytes };
  const masks = await model.fillMask(text, { image: picture, topK: top, signal: io.signal });
  const blocks = masks.map((words, i) => {
    const rows = table(words.map(({ score, token_str }) => [percent(score), token_str]));
    return masks.length > 1 ? `[MASK] ${i + 1}\n${rows.replace(/^/gm, "  ")}` : rows;
  });
  io.result(blocks.join("\n"), { text, ...(image !== undefined && { image }), masks });
}
