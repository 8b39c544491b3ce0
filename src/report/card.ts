/** The model card: README front matter that the Hugging Face Hub renders, and what a reader of a model needs to know. */
import { join } from "node:path";
import { stringify } from "yaml";
import { isJsonObject, type JsonObject, readJson, saveFile, statOf } from "../io/index.ts";
import { loadMetrics, loadRunInfo, type MetricsLine, type RunInfo, readRecipe } from "../record/index.ts";
import { short } from "./chart.ts";
import { codebookCard } from "./codebook.ts";
import { code, codeBlock, markdown, table } from "./markdown.ts";
import { candidates, count, duration, explain } from "./metric-words.ts";
import { resultsOf } from "./numbers.ts";
import { type RecipeFacts, recipeFacts } from "./recipe-facts.ts";
import { repeatOf } from "./repeat.ts";
import { unknownWordsCard } from "./words.ts";

/** The model card of a run, in its folder. */
export const CARD_FILE = "card.md";

/** What the card says that the run's folder does not. */
export interface CardOptions {
  /** An identifier of the Hub's list of licences; without it the card names none: that is the owner's to say. */
  readonly license?: string | undefined;
  /** Where transformers reads the files differently from flava; undefined where there is no config.json. */
  readonly notes?: readonly string[] | undefined;
  /** What was measured on the way. */
  readonly metrics?: readonly MetricsLine[] | undefined;
  readonly output?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes `card.md` into the run folder and resolves to its path. Throws DataError if the folder is no run's. */
export async function writeCard(runDir: string, options: CardOptions = {}): Promise<string> {
  const { output = join(runDir, CARD_FILE), signal } = options;
  const text = modelCard(await loadRunInfo(runDir), await readRecipe(runDir), {
    notes: await transformersNotes(join(runDir, "config.json")),
    metrics: (await loadMetrics(runDir)).lines,
    ...options,
  });
  await saveFile(output, text, { signal });
  return output;
}

/** What the config.json of the run says of itself to readers of Hugging Face's transformers; undefined before there is one. */
async function transformersNotes(path: string): Promise<readonly string[] | undefined> {
  if (!(await statOf(path))) return undefined;
  const config = await readJson(path);
  const notes = isJsonObject(config) ? config.flava_notes : undefined;
  return Array.isArray(notes) ? notes.map(String) : [];
}

/** The card's text. */
export function modelCard(
  info: RunInfo,
  recipe: JsonObject,
  { license, notes, metrics = [] }: CardOptions = {},
): string {
  const facts = recipeFacts(recipe);
  const [words, codebook] = [unknownWordsCard(info), codebookCard(metrics)];
  return [
    `---\n${stringify(frontMatter(info, license)).trimEnd()}\n---`,
    `# ${markdown(info.name)}`,
    intro(facts),
    `## Load it\n\n${SNIPPETS}`,
    ...(notes ? [`## In transformers\n\n${inTransformers(notes)}`] : []),
    `## Results\n\n${results(info)}`,
    ...(codebook === undefined ? [] : [`## The codebook\n\n${codebook}`]),
    `## Training\n\n${training(info)}`,
    `## Data\n\n${data(facts)}`,
    ...(words === undefined ? [] : [`## Words it does not know\n\n${words}`]),
    `## What it can't do\n\n${limits(facts)}`,
    `## Repeat it\n\n${repeat(info, facts)}`,
  ]
    .join("\n\n")
    .concat("\n");
}

function frontMatter(info: RunInfo, license: string | undefined): object {
  const metrics = resultsOf(info).map(({ name, value }) => ({ type: metricType(name), name, value }));
  const result = {
    task: { type: "zero-shot-image-classification", name: "zero-shot retrieval and pretraining losses" },
    dataset: { type: info.name, name: `held-out data of the recipe ${info.name}` },
    metrics,
  };
  return {
    ...(license === undefined ? {} : { license }),
    library_name: "flava",
    pipeline_tag: "zero-shot-image-classification",
    tags: ["flava", "vision", "multimodal", "image-text-retrieval"],
    language: ["en"],
    ...(metrics.length === 0 ? {} : { "model-index": [{ name: info.name, results: [result] }] }),
  };
}

/** The Hub's word for a metric. */
const metricType = (name: string): string =>
  /_r\d+$|recall/.test(name) ? "recall" : /acc/.test(name) ? "accuracy" : /loss/.test(name) ? "loss" : name;

function intro({ image, text, multimodalLayers, projectionDim }: RecipeFacts): string {
  const parts = [
    image &&
      `an image encoder of ${count(image.layers, "layer")} (${image.side} pixels, patches of ${image.patch}), ${image.hiddenSize} wide`,
    text && `a text encoder of ${count(text.layers, "layer")} (up to ${text.maxTokens} tokens)`,
    multimodalLayers && `a multimodal encoder of ${count(multimodalLayers, "layer")}`,
    projectionDim && `a common space of ${projectionDim} dimensions`,
  ].filter((part) => part !== undefined);
  const what = "A FLAVA model ([arXiv 2112.04482](https://arxiv.org/abs/2112.04482))";
  return parts.length === 0 ? `${what}.` : `${what}: ${parts.join(", ")}.`;
}

/** It is run by a test, in a folder that holds what a run exports. */
const SNIPPETS = `In Node, from the run's folder:

\`\`\`ts
import { readFile } from "node:fs/promises";
import { compile, openDevice, textGraph } from "flava";
import { openSafetensors } from "flava/hub";
import { fromHuggingFaceConfig } from "flava/models/flava";
import { loadTokenizer } from "flava/text/node";

const config = fromHuggingFaceConfig(JSON.parse(await readFile("config.json", "utf8")));
const tokenizer = await loadTokenizer("tokenizer.json");
const file = await openSafetensors("model.safetensors");

const captions = ["a cat", "a red car"];
const { rows, length, inputIds, attentionMask } = tokenizer.encodeBatch(captions, {
  maxLength: config.text.maxPositions,
  padding: "max_length",
});
const { graph, params } = textGraph(config, { batch: rows, textLength: length });
const weights = Object.fromEntries(await Promise.all(params.map(async ({ name }) => [name, await file.read(name)])));
const model = await compile(graph, await openDevice("cpu"), { weights });

const ints = (data: Int32Array) => ({ dtype: "int32" as const, shape: [rows, length], data });
const { text_embeds } = await model.run({ input_ids: ints(inputIds), attention_mask: ints(attentionMask) });
console.log(text_embeds.shape); // a row a caption, of length 1: its dot product with image_embeds is their similarity
await file.close();
model.dispose();
\`\`\`

\`imageGraph\` takes \`pixel_values\` and gives \`image_embeds\` in the same way.`;

const inTransformers = (notes: readonly string[]): string =>
  notes.length === 0
    ? "The files open in `FlavaModel` and `FlavaForPreTraining` of transformers 5, nothing missing; `FlavaModel` leaves the heads and the codebook over, which it does not have."
    : `The files open in \`FlavaModel\` of transformers 5, except for what this says:\n\n${notes.map((note) => `- ${markdown(note)}`).join("\n")}`;

function results(info: RunInfo): string {
  const digits = (x: number | undefined): string => (x === undefined ? "" : String(Number(x.toPrecision(4))));
  const rows = resultsOf(info).map(({ name, value, chance, times }) => {
    const among = candidates(name, chance);
    const meaning = [explain(name), ...(among ? [`(${among})`] : [])].join(" ");
    return [code(name), meaning, digits(value), digits(chance), times === undefined ? "" : `${short(times)}×`];
  });
  if (rows.length === 0) return "Not measured.";
  const head = ["measure", "what it is", "value", "chance", "times chance"];
  return `Measured once, at the end, on held-out data.\n\n${table(head, rows)}`;
}

function training({ stages, environment, peakMemoryBytes }: RunInfo): string {
  const rows = Object.entries(stages).map(([name, stage]) => [
    markdown(name),
    markdown(stage.kind),
    whole(stage.done),
    whole(stage.samples),
    stage.parameters === undefined ? "" : whole(stage.parameters),
    duration(stage.seconds),
  ]);
  const memory = peakMemoryBytes === undefined ? "" : ` Peak memory: ${(peakMemoryBytes / 2 ** 30).toFixed(2)} GiB.`;
  return `${table(["stage", "kind", "steps", "samples", "trained parameters", "time"], rows)}\n\nOn ${count(environment.threads, "thread")} of ${markdown(environment.cpu)}, ${markdown(environment.engine)}, Node ${environment.node}.${memory}`;
}

const whole = (n: number): string => n.toLocaleString("en-US");

function data({ sources }: RecipeFacts): string {
  const kinds = Object.entries(sources).filter(([, names]) => names.length > 0);
  if (kinds.length === 0) return "The recipe names none.";
  return kinds.map(([kind, names]) => `- ${kind}: ${names.map(code).join(", ")}`).join("\n");
}

function limits({ image, text, vocabulary }: RecipeFacts): string {
  const lines = [
    "It knows only what its data shows; the numbers above are all that was measured. Bias and safety were not measured.",
    "It scores and embeds; it does not generate text or images.",
  ];
  if (image && text)
    lines.push(
      `It sees ${image.side} × ${image.side} pixels and at most ${text.maxTokens} tokens of English; it counts, reads and locates as poorly as that implies.`,
    );
  if (vocabulary === "reduced")
    lines.push(
      "Its vocabulary is that of its training texts: other words are spelled in pieces, the strangest in letters.",
    );
  return lines.map((line) => `- ${line}`).join("\n");
}

function repeat(info: RunInfo, { seed }: RecipeFacts): string {
  const { flava, commit } = info.environment;
  const { commands, changes } = repeatOf(info);
  const lines = changes.map((line) => `- ${markdown(line)}`).join("\n");
  const changed = changes.length === 0 ? "" : `\n\nThe run was stopped and went on with other values:\n\n${lines}`;
  return `${codeBlock("sh", commands)}${changed}\n\n${seed === undefined ? "" : `Seed ${seed}, `}flava ${flava}${commit ? `, commit ${commit}` : ""}. The resolved recipe is \`recipe.json\`.`;
}
