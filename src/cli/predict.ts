/** `flava predict MODEL`: what a fine-tuned model says, a row for each input. */
import { type Command, Option } from "commander";
import type { FlavaModel, LabelScore, LoadOptions, TaskInput } from "../api/index.ts";
import type { Sample } from "../data/index.ts";
import { ConfigError, DataError, FlavaError } from "../errors.ts";
import { deviceNames } from "../runtime/device-names.ts";
import { action, type Io } from "./command.ts";
import { positive } from "./numbers.ts";

interface Options {
  readonly data?: string;
  readonly text?: string;
  readonly textPair?: string;
  readonly image?: string;
  readonly top: number;
  readonly output?: string;
  readonly batchSize?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly cacheDir?: string;
  readonly outside?: true;
}

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const api = () => import("../api/index.ts");
const finetune = () => import("../finetune/index.ts");
const datasets = () => import("../datasets/index.ts");
const files = () => import("../io/index.ts");

const HELP = `
INPUTS are texts, or pictures for a model of pictures; for a model of both a picture and then texts about it; for a model of pairs of
texts two and two. With --data the rows of a table or the pictures of a folder. The output is a table with key, label and score, JSON
Lines where its name ends in .jsonl.

Examples:
  flava predict runs/reviews "I would buy it again" "Never again"
  flava predict runs/reviews --data new.csv --text review --output said.csv
  flava predict runs/photos cat.jpg --top 3 --json
  flava predict runs/vqa cat.jpg "what is it?"`;

export function define(program: Command): void {
  program
    .command("predict")
    .summary("what a fine-tuned model says of texts, pictures or both")
    .description("Asks a model that flava finetune wrote for the class, the number or the answer of each input.")
    .argument("<model>", "the folder of a fine-tuned model, or a repository of the Hub")
    .argument("[inputs...]", "texts, or paths and addresses of pictures")
    .option("--data <source>", "a table, or a folder of pictures")
    .option("--text <column>", "the column with the text")
    .option("--text-pair <column>", "the column with the second text")
    .option("--image <column>", "the column with the picture")
    .option("--top <n>", "classes or answers that are given of each input", positive, 1)
    .option("--output <file>", "write the rows into this file")
    .option("--batch-size <n>", "inputs that go through the model at once", positive)
    .addOption(new Option("--device <name>", "what computes").choices(deviceNames))
    .option("--threads <n>", "threads of one operator; all processors unless given", positive)
    .option("--cache-dir <dir>", "where models of the Hub and fetched data are kept")
    .option("--outside", "let a table name pictures outside of its folder")
    .addHelpText("after", HELP)
    .action(action<Options>(predict));
}

interface Row {
  readonly key: string;
  readonly labels: readonly LabelScore[];
}

interface Asked {
  readonly key: string;
  readonly input: TaskInput;
}

async function predict(io: Io, [path, ...words]: readonly string[], options: Options): Promise<void> {
  if ((words.length === 0) === (options.data === undefined))
    throw new ConfigError(`predict: expected inputs or --data, got ${words.length === 0 ? "neither" : "both"}`);
  const { FlavaModel } = await api();
  await using model = await FlavaModel.fromPretrained(path!, {
    ...(options.device && { device: options.device as LoadOptions["device"] }),
    batchSize: options.batchSize ?? 16,
    ...(options.threads && { threads: options.threads }),
    cacheDir: options.cacheDir,
    onWarning: io.note,
    signal: io.signal,
  });
  if (!model.task)
    throw new ConfigError(`${path}: expected a fine-tuned model, got one without a head`, "train one: flava finetune");
  const rows: Row[] = [];
  const bad: { readonly key: string; readonly reason: string }[] = [];
  const progress = io.progress({ label: "predicting", unit: "inputs" });
  const batch: Asked[] = [];
  const flush = async (): Promise<void> => {
    await ask(model, batch.splice(0), { rows, bad, io, top: options.top });
    if (options.data !== undefined) progress.update(rows.length + bad.length);
  };
  try {
    const inputs = options.data === undefined ? worded(model, words) : sampled(io, model, options, bad);
    for await (const one of inputs) {
      batch.push(one);
      if (batch.length >= 16 * model.batchSize) await flush();
    }
    await flush();
  } finally {
    if (options.data !== undefined) progress.end();
  }
  await say(io, rows, bad, options);
}

/** Inputs from the command line. */
function* worded(model: FlavaModel, words: readonly string[]): Generator<Asked> {
  const { inputs, textPairs } = model.task!.head;
  if (inputs === "image") for (const image of words) yield { key: image, input: { image } };
  else if (inputs === "pair") {
    const [image, ...texts] = words;
    if (texts.length === 0) throw new ConfigError("predict: expected a picture and texts about it, got one input");
    for (const text of texts) yield { key: text, input: { image: image!, text } };
  } else if (textPairs) {
    if (words.length % 2 > 0) throw new ConfigError(`predict: expected texts two and two, got ${words.length}`);
    for (let i = 0; i < words.length; i += 2)
      yield { key: `${words[i]} | ${words[i + 1]}`, input: { text: words[i]!, textPair: words[i + 1]! } };
  } else for (const text of words) yield { key: text, input: { text } };
}

/** Inputs of a table or folder; those that cannot be used go to `bad`. */
async function* sampled(
  io: Io,
  model: FlavaModel,
  { data, text, textPair, image, cacheDir, outside }: Options,
  bad: { key: string; reason: string }[],
): AsyncGenerator<Asked> {
  const { namedSource } = await finetune();
  const { openData } = await datasets();
  const { inputs, textPairs } = model.task!.head;
  const columns = { text, textPair, image, labelled: false };
  const { spec } = await namedSource(data!, columns, { inputs });
  const source = await openData(spec, { cacheDir, outside, signal: io.signal, note: io.note });
  const onBad = ({ key, reason, kept }: { key: string; reason: string; kept?: true }): void => {
    if (!kept) bad.push({ key, reason });
  };
  const missing = ({ texts = [], image }: Sample): string | undefined => {
    if (inputs !== "text" && image === undefined) return "the image is missing";
    if (inputs !== "image" && texts.length < (textPairs ? 2 : 1)) return "a text is missing";
    return undefined;
  };
  for await (const { sample } of source.samples({ signal: io.signal, onBad })) {
    const { key, texts = [] } = sample;
    const reason = missing(sample);
    if (reason !== undefined) bad.push({ key, reason });
    else
      yield {
        key,
        input: {
          ...(inputs !== "text" && { image: { key, image: sample.image! } }),
          ...(inputs !== "image" && { text: texts[0]!, ...(textPairs && { textPair: texts[1]! }) }),
        },
      };
  }
}

interface Asking {
  readonly rows: Row[];
  readonly bad: { key: string; reason: string }[];
  readonly io: Io;
  readonly top: number;
}

/** All of them at once; where a picture cannot be read, one by one. */
async function ask(model: FlavaModel, asked: readonly Asked[], { rows, bad, io, top }: Asking): Promise<void> {
  const { signal } = io;
  const add = (list: readonly Asked[], said: readonly LabelScore[][]): void => {
    for (const [i, labels] of said.entries()) rows.push({ key: list[i]!.key, labels: labels.slice(0, top) });
  };
  if (asked.length === 0) return;
  try {
    const inputs = asked.map(({ input }) => input);
    add(asked, await model.predict(inputs, { signal }));
  } catch (error) {
    if (!(error instanceof FlavaError) || signal.aborted) throw error;
    for (const one of asked)
      try {
        add([one], await model.predict([one.input], { signal }));
      } catch (reason) {
        if (!(reason instanceof FlavaError) || signal.aborted) throw reason;
        bad.push({ key: one.key, reason: reason.message.split("\n")[0]! });
      }
  }
}

async function say(
  io: Io,
  rows: readonly Row[],
  bad: readonly { readonly key: string; readonly reason: string }[],
  { output }: Options,
): Promise<void> {
  for (const { key, reason } of bad.slice(0, 20)) io.note(`left out: ${key}: ${reason}`);
  if (bad.length > 20) io.note(`and ${bad.length - 20} more`);
  const flat = rows.flatMap(({ key, labels }) => labels.map(({ label, score }) => ({ key, label, score })));
  if (output !== undefined) {
    const { saveFile } = await files();
    await saveFile(output, /\.jsonl$/i.test(output) ? jsonLines(flat) : csv(flat));
    io.result(`${rows.length} inputs: ${output}`, { output, rows: rows.length, bad });
  } else
    io.result(flat.map(({ key, label, score }) => `${score.toFixed(4)}  ${label}  ${key}`).join("\n"), {
      results: rows,
      bad,
    });
  if (rows.length === 0) throw new DataError(`predict: none of ${bad.length} inputs could be used, as said above`);
}

type Flat = { readonly key: string; readonly label: string; readonly score: number };

const jsonLines = (rows: readonly Flat[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

const csv = (rows: readonly Flat[]): string => {
  const cell = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [
    "key,label,score",
    ...rows.map(({ key, label, score }) => [cell(key), cell(label), Number(score.toPrecision(6))].join()),
  ]
    .join("\n")
    .concat("\n");
};
