/** `flava match IMAGE TEXT…`: how well texts belong to a picture. */
import type { Command } from "commander";
import { DataError } from "../errors.ts";
import { action, type Io } from "./command.ts";
import { type ModelOptions, openUsed, percent, sayUnknown, table, withModel } from "./use-model.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const collections = () => import("../collections/index.ts");

const HELP = `
"match" is the probability that a text belongs to the picture, by the matching head of the multimodal encoder; "cosine"
compares the embeddings of both encoders, where a model has such. Pairs are judged one by one: probabilities of several texts need not sum to 1.

Examples:
  flava match cat.jpg "a cat on a sofa"
  flava match https://example.com/cat.jpg "a cat" "a dog" --json`;

export function define(program: Command): void {
  withModel(
    program
      .command("match")
      .summary("how well texts belong to a picture")
      .description("Says how likely it is that each text belongs to the picture.")
      .argument("<image>", "a picture or its address")
      .argument("<texts...>", "one text or several"),
  )
    .addHelpText("after", HELP)
    .action(action<ModelOptions>(match));
}

async function match(io: Io, [image = "", ...texts]: readonly string[], options: ModelOptions): Promise<void> {
  const { loadInput } = await collections();
  const bytes = await loadInput(image, io.signal);
  if (typeof bytes === "string") throw new DataError(`${image}: ${bytes}`);
  await using model = await openUsed(io, options);
  await sayUnknown(io, model, texts);
  const picture = { key: image, image: bytes };
  const { signal } = io;
  const chances = await model.match(picture, texts, { signal });
  const compares = model.gives("image_embeds") && model.gives("text_embeds"); // ViLT and UniT only match
  const cosines = compares ? (await model.similarity(picture, texts, { signal })).similarity.data : undefined;
  const results = texts
    .map((text, i) => ({ text, match: chances[i]!, ...(cosines && { cosine: Number(cosines[i]) }) }))
    .sort((a, b) => b.match - a.match);
  const rows = results.map(({ text, match: chance, cosine }) =>
    [percent(chance), cosine?.toFixed(3), text].filter((cell) => cell !== undefined),
  );
  io.result(table([["  match", ...(compares ? ["cosine"] : []), "text"], ...rows]), { image, results });
}
