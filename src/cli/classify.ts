/** `flava classify IMAGE… --labels a,b,c`: which of some labels fits a picture best, without training. */
import type { Command } from "commander";
import type { FlavaModel } from "../api/index.ts";
import type { Encoder } from "../collections/index.ts";
import { ConfigError } from "../errors.ts";
import { action, type Io } from "./command.ts";
import { readLabels, readTemplates } from "./lists.ts";
import { positive } from "./numbers.ts";
import {
  endWithBad,
  type ModelOptions,
  openUsed,
  percent,
  sayPassed,
  sayUnknown,
  table,
  withModel,
} from "./use-model.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const collections = () => import("../collections/index.ts");

interface Options extends ModelOptions {
  readonly labels: string;
  readonly templates?: string;
  readonly top: number;
  readonly bad?: string;
}

const HELP = `
An IMAGE is a picture, a folder, a pattern, an http(s) address, a list of JSON Lines, or - for more of these on stdin.
Each label becomes captions by the templates, whose embeddings are averaged; scores are a softmax over the labels.

Examples:
  flava classify cat.jpg --labels cat,dog,horse
  flava classify photos/ --labels classes.txt --templates templates.txt --top 3 --json`;

export function define(program: Command): void {
  withModel(
    program
      .command("classify")
      .summary("which of some labels fits a picture")
      .description("Says which of some labels fits a picture best, by comparing it with captions made of the labels.")
      .argument("<images...>", "pictures, folders, patterns, addresses, lists, or -")
      .requiredOption("--labels <list>", "labels with commas between, or a file with one a line")
      .option(
        "--templates <file>",
        'captions, one a line, with {} for the label (default: "a photo of a {}", of small models "{}")',
      )
      .option("--top <n>", "labels shown for each picture", positive, 5)
      .option("--bad <file>", "list pictures that cannot be used in this JSON Lines file"),
  )
    .addHelpText("after", HELP)
    .action(action<Options>(classify));
}

interface Scored {
  readonly label: string;
  readonly score: number;
}

async function classify(io: Io, words: readonly string[], options: Options): Promise<void> {
  const { embedNamed, FEW_PICTURES, listInputs, modelEncoder } = await collections();
  const labels = await readLabels(options.labels);
  const given = options.templates === undefined ? undefined : await readTemplates(options.templates);
  const listed = await listInputs(words, { signal: io.signal });
  const pictures = listed.inputs.flatMap(({ key, image }) => (image === undefined ? [] : [{ item: key, key, image }]));
  const texts = listed.inputs.filter(({ image }) => image === undefined);
  const bad = [...listed.bad, ...texts.map(({ key }) => ({ key, reason: "expected a picture, got a text" }))];
  const total = pictures.length + bad.length;
  sayPassed(io, listed.passed);
  if (total === 0) throw new ConfigError("expected pictures, got none");
  if (pictures.length === 0) return endWithBad(bad, total, options.bad);
  await using model = await openUsed(io, options);
  const encoder = await modelEncoder(model);
  const templates = given ?? defaultTemplates(io, model);
  await sayUnknown(io, model, labels);
  const captions = await labelRows(encoder, labels, templates, io.signal);
  const scale = await model.logitScale();
  const results: { key: string; labels: Scored[] }[] = [];
  const many = pictures.length > FEW_PICTURES;
  const progress = io.progress({ label: "classifying", unit: "pictures", total: pictures.length });
  try {
    for await (const outcomes of embedNamed(pictures, encoder, { signal: io.signal })) {
      for (const one of outcomes) {
        if ("reason" in one) bad.push({ key: one.item, reason: one.reason });
        else results.push({ key: one.item, labels: await score(one.row, captions, labels, scale) });
      }
      if (many) progress.update(results.length + bad.length);
    }
  } finally {
    if (many) progress.end();
  }
  const shown = results.map((one) => ({ ...one, labels: one.labels.slice(0, options.top) }));
  if (results.length > 0)
    io.result(shown.map((one) => block(one, total > 1)).join("\n"), { templates, results: shown, bad });
  await endWithBad(bad, total, options.bad);
}

/** Entries of a vocabulary from which on a model has read captions of the web. */
const LARGE_VOCABULARY = 20_000;

/** CLIP's template for a large model; the label alone for one that was trained on a few captions. */
function defaultTemplates(io: Io, model: FlavaModel): string[] {
  const template = (model.processor.tokenizer?.vocabSize ?? 0) >= LARGE_VOCABULARY ? "a photo of a {}" : "{}";
  io.note(`captions: ${JSON.stringify(template)} (--templates FILE for others)`);
  return [template];
}

/** (labels, width): the mean of each label's captions, of length 1. */
async function labelRows(
  encoder: Encoder,
  labels: readonly string[],
  templates: readonly string[],
  signal: AbortSignal,
): Promise<Float32Array> {
  const { captionsOf } = await import("../api/captions.ts");
  const { meanRows } = await import("../api/numbers.ts");
  const { output } = await import("../api/output.ts");
  const captions = captionsOf(labels, templates);
  const data = await encoder.texts(captions, signal);
  const rows = output({ dtype: "float32", shape: [captions.length, encoder.width], data });
  return meanRows(rows, templates.length).data;
}

async function score(
  row: Float32Array,
  texts: Float32Array,
  labels: readonly string[],
  scale: number,
): Promise<Scored[]> {
  const { dot, softmax } = await import("../api/numbers.ts");
  const logits = labels.map((_, i) => scale * dot(row, texts.subarray(i * row.length, (i + 1) * row.length)));
  return softmax(logits)
    .map((share, i) => ({ label: labels[i]!, score: share }))
    .sort((a, b) => b.score - a.score);
}

function block({ key, labels }: { key: string; labels: readonly Scored[] }, named: boolean): string {
  const rows = table(labels.map(({ label, score }) => [percent(score), label]));
  return named ? `${key}\n${rows.replace(/^/gm, "  ")}` : rows;
}
