/** `flava embed INPUTS… --out FILE`: pictures and texts → a file of embeddings. */
import type { Command } from "commander";
import type { EmbedResult, Encoder, Input, Inputs } from "../collections/index.ts";
import { ConfigError, DataError } from "../errors.ts";
import { action, Cancelled, type Io } from "./command.ts";
import { positive } from "./numbers.ts";
import { formatCount } from "./progress.ts";
import {
  collect,
  endWithBad,
  LAST_RUN,
  type ModelOptions,
  openUsed,
  sayPassed,
  sayUnknown,
  withModel,
} from "./use-model.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const collections = () => import("../collections/index.ts");

interface Options extends ModelOptions {
  readonly text?: readonly string[];
  readonly texts?: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly bad?: string;
  readonly workers?: number;
}

const HELP = `
An INPUT is a picture, a folder (all pictures below it), a pattern, an http(s) address, a list of JSON Lines with the
fields image, text and id, or - for more of these on stdin.

Rows come in the order of the inputs. .parquet and .jsonl hold key, kind, text and embedding; beside .npy and .safetensors
lies FILE.keys.jsonl with a line for each row.

Examples:
  flava embed photos/ --out photos.parquet
  flava embed 'photos/**/*.jpg' --out photos.npy --resume
  flava embed --text "a red car" --text "two dogs" --out words.jsonl
  find . -name '*.png' -print0 | flava embed - --out all.safetensors --bad bad.jsonl`;

export function define(program: Command): void {
  withModel(
    program
      .command("embed")
      .summary("pictures and texts → a file of embeddings")
      .description(
        "Embeds pictures and texts in the model's contrastive space and writes the rows, of length 1, to a file.",
      )
      .argument("[inputs...]", "pictures, folders, patterns, addresses, lists, or -")
      .requiredOption("--out <file>", "a name that ends in .parquet, .npy, .jsonl or .safetensors")
      .option("--text <text>", "a text; may be given again", collect)
      .option("--texts <file>", "a text on each line of this file")
      .option("--resume", "go on where an earlier command with the same --out stopped")
      .option("--bad <file>", "list inputs that cannot be used in this JSON Lines file")
      .option("--workers <n>", "threads that decode pictures", positive),
  )
    .addHelpText("after", HELP)
    .action(action<Options>(embed));
}

async function embed(io: Io, words: readonly string[], options: Options): Promise<void> {
  const { formatOf, modelEncoder } = await collections();
  const { out, resume } = options;
  formatOf(out);
  const { inputs, bad } = await allInputs(io, words, options);
  if (inputs.length === 0) return endWithBad(bad, bad.length, options.bad);
  if (resume && (await isDone(out))) {
    io.note(`${out} is whole already; remove it to embed again`);
    return io.result(out, { files: [out], complete: true });
  }
  await using model = await openUsed(io, options);
  const texts = inputs.flatMap(({ text }) => text ?? []);
  await sayUnknown(io, model, texts);
  const result = await write(io, inputs, await modelEncoder(model), options);
  const { files, images, resumed, width } = result;
  const all = [...bad, ...result.bad];
  const before = resumed > 0 ? ` (${formatCount(resumed)} of them before)` : "";
  const rows = `${formatCount(images)} pictures, ${formatCount(result.texts)} texts${before}, ${width} numbers each`;
  if (files.length > 0) io.result(`${files.join("\n")}: ${rows}`, { ...result, bad: all });
  await endWithBad(all, inputs.length + bad.length, options.bad);
}

/** What was named and written after --text, and what of it cannot be listed. Throws ConfigError where nothing was. */
async function allInputs(io: Io, words: readonly string[], options: Options): Promise<Pick<Inputs, "inputs" | "bad">> {
  const { listInputs } = await collections();
  const { inputs, bad, passed } = await listInputs(words, { signal: io.signal });
  sayPassed(io, passed);
  const all = [...inputs, ...(await textInputs(options))];
  if (all.length + bad.length > 0) return { inputs: all, bad };
  throw new ConfigError("expected pictures or texts, got none", "name files or folders, or give --text");
}

/** Embeds to the file, with progress. A command that is stopped says how to go on. */
async function write(io: Io, inputs: readonly Input[], encoder: Encoder, options: Options): Promise<EmbedResult> {
  const { embedToFile } = await collections();
  const { out, resume, workers, model = LAST_RUN } = options;
  let progress: ReturnType<Io["progress"]> | undefined;
  const onProgress = (done: number, total: number, start: number): void => {
    progress ??= io.progress({ label: `embedding to ${out}`, unit: "inputs", total, start });
    progress.update(done);
  };
  const job = { inputs, encoder, out, about: { model }, resume, workers, signal: io.signal, onProgress };
  try {
    return await embedToFile(job);
  } catch (error) {
    if (!io.signal.aborted) throw error;
    const { signal } = io.signal.reason as Cancelled;
    throw new Cancelled(signal, `stopped; what is done is kept in ${out}.partial: go on with --resume`);
  } finally {
    progress?.end();
  }
}

/** Whether an earlier command wrote the file and left nothing to do. */
async function isDone(out: string): Promise<boolean> {
  const { statOf } = await import("../io/index.ts");
  return (await statOf(out)) !== undefined && (await statOf(`${out}.partial`)) === undefined;
}

async function textInputs({ text = [], texts }: Options): Promise<Input[]> {
  const given = text.map((one) => ({ key: one, text: one }));
  if (texts === undefined) return given;
  const { readLinesOf } = await import("./lists.ts");
  const lines = await readLinesOf(texts);
  if (lines.length === 0) throw new DataError(`${texts}: expected a text on each line, got none`);
  return [...given, ...lines.map(({ line, text: one }) => ({ key: `${texts}:${line}`, text: one }))];
}
