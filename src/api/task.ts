/** What a fine-tuned model says: classes, a number or answers, of texts, pairs of texts, pictures, or pictures with texts. */
import { z } from "zod";
import { CheckpointError, ConfigError, DataError } from "../errors.ts";
import type { TaskHead } from "../models/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import { ahead, type Encoding } from "./encode.ts";
import type { ImageInput } from "./image-input.ts";
import { softmax } from "./numbers.ts";
import { type OutputTensor, Rows } from "./output.ts";
import { type LabelScore, ranked } from "./probe.ts";
import { tokenizerOf } from "./processor.ts";
import { batches } from "./runner.ts";

/** A fine-tuned head, and what its numbers mean. */
export interface LoadedTask {
  readonly head: TaskHead;
  /** Names of classes or answers by number; of a regression, what the number is called. */
  readonly labels: readonly string[];
  /** As in Hugging Face's config.json. */
  readonly problemType: "single_label_classification" | "regression" | "multi_label_classification";
  /** The most tokens of a text, as in training. */
  readonly textLength: number;
}

/** What is asked of it: a picture, a text or both, and the second text of a pair. */
export interface TaskInput {
  readonly image?: ImageInput | undefined;
  readonly text?: string | undefined;
  readonly textPair?: string | undefined;
}

const schema = z.object({
  id2label: z.record(z.string().regex(/^\d+$/), z.string()),
  problem_type: z.enum(["single_label_classification", "regression", "multi_label_classification"]),
  flava_task: z.object({
    inputs: z.enum(["text", "image", "pair"]),
    text_pairs: z.boolean(),
    hidden: z.int().positive().nullable(),
    text_length: z.int().min(2),
  }),
});

/** The head that config.json tells of; undefined where it tells of none. Throws ConfigError. */
export function taskOf(name: string, config: Readonly<Record<string, unknown>>): LoadedTask | undefined {
  if (config.flava_task === undefined) return undefined;
  const parsed = schema.safeParse(config);
  if (!parsed.success) throw new ConfigError(`${name}: config.json:\n${z.prettifyError(parsed.error)}`);
  const { id2label, problem_type, flava_task } = parsed.data;
  const outputs = Object.keys(id2label).length;
  return {
    head: { inputs: flava_task.inputs, textPairs: flava_task.text_pairs, hidden: flava_task.hidden, outputs },
    labels: Array.from({ length: outputs }, (_, id) => id2label[id] ?? `LABEL_${id}`),
    problemType: problem_type,
    textLength: flava_task.text_length,
  };
}

/** What the row of a sample says, best first: probabilities, of a regression the number itself. */
export function taskScores({ labels, problemType }: LoadedTask, row: ArrayLike<number>): LabelScore[] {
  const logits = Array.from(row);
  if (problemType === "single_label_classification") return ranked(labels, softmax(logits));
  return ranked(labels, problemType === "regression" ? logits : logits.map((x) => 1 / (1 + Math.exp(-x))));
}

/** The model's head. Throws CheckpointError where it has none. */
export function requireTask({ loaded: { name = "model", task } }: Pick<Encoding, "loaded">): LoadedTask {
  if (task) return task;
  throw new CheckpointError(
    `${name}: expected a fine-tuned head, got a model without one`,
    "train one: flava finetune",
  );
}

/** The head's logits (N, outputs). Throws DataError for inputs without what the head reads, CheckpointError for a model without one. */
export async function taskLogits(
  encoding: Encoding,
  inputs: readonly TaskInput[],
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<OutputTensor> {
  const { graphs, loaded } = encoding;
  const task = requireTask(encoding);
  graphs.need("task", ["logits"]);
  for (const [i, input] of inputs.entries()) checkInput(i, input, task.head);
  const rows = new Rows(inputs.length);
  const order = byLength(inputs);
  const parts = batches(order, loaded.batchSize);
  const prepare = async ([, places]: readonly [number, readonly number[]]) => ({
    places,
    feeds: await feedsOf(
      encoding,
      places.map((i) => inputs[i]!),
      signal,
    ),
  });
  for await (const { places, feeds } of ahead(parts, prepare)) {
    const { logits } = await graphs.run("task", feeds, ["logits"], signal);
    rows.add(logits!, places);
  }
  return rows.tensor([task.head.outputs]);
}

/** Texts of like length go together. */
const byLength = (inputs: readonly TaskInput[]): number[] => {
  const length = ({ text = "", textPair = "" }: TaskInput): number => text.length + textPair.length;
  return inputs.map((_, i) => i).sort((a, b) => length(inputs[a]!) - length(inputs[b]!));
};

function checkInput(i: number, { image, text, textPair }: TaskInput, { inputs, textPairs }: TaskHead): void {
  const wanted = { image: inputs !== "text", text: inputs !== "image", textPair: inputs !== "image" && textPairs };
  const given = { image: image !== undefined, text: text !== undefined, textPair: textPair !== undefined };
  const names = { image: "a picture", text: "a text", textPair: "a second text" };
  for (const key of ["image", "text", "textPair"] as const)
    if (wanted[key] !== given[key])
      throw new DataError(
        `sample ${i}: expected ${wanted[key] ? names[key] : `no ${names[key].slice(2)}`}, got ${given[key] ? "one" : "none"}`,
        `the model reads ${inputs === "pair" ? "a picture with a text" : textPairs ? "pairs of texts" : `a ${inputs === "text" ? "text" : "picture"}`}`,
      );
}

async function feedsOf(encoding: Encoding, inputs: readonly TaskInput[], signal?: AbortSignal): Promise<Feeds> {
  const { head } = requireTask(encoding);
  const images = head.inputs === "text" ? undefined : inputs.map(({ image }) => image!);
  const pixels = images && (await encoding.processor.images(images, signal ? { signal } : {}));
  return {
    ...(pixels && { pixel_values: pixels.pixel_values }),
    ...(head.inputs !== "image" && textFeedsOf(encoding, inputs)),
  };
}

/** Texts, or pairs of them, cut to the length of the training; what is cut is told. */
function textFeedsOf(encoding: Encoding, inputs: readonly TaskInput[]): Record<string, Tensor> {
  const { loaded, graphs, onWarning } = encoding;
  const { head, textLength } = requireTask(encoding);
  const tokenizer = tokenizerOf(loaded);
  const { padHidden = true } = loaded.model.texts ?? {};
  const encoded = inputs.map(({ text, textPair }) =>
    tokenizer.encode(text!, head.textPairs ? { pair: textPair! } : {}),
  );
  const cut = encoded.filter(({ inputIds }) => inputIds.length > textLength).length;
  if (cut > 0) onWarning(`${cut} of ${inputs.length} texts were cut to ${textLength} tokens, as in training`);
  const longest = encoded.reduce((most, { inputIds }) => Math.max(most, inputIds.length), 0);
  const length = padHidden ? graphs.textLength(Math.min(longest, textLength), textLength) : textLength;
  const { inputIds, attentionMask, tokenTypeIds } = tokenizer.encodeBatch(
    inputs.map(({ text }) => text!),
    {
      maxLength: length,
      padding: "max_length",
      ...(head.textPairs && { pairs: inputs.map(({ textPair }) => textPair!) }),
    },
  );
  const rows = (data: Int32Array): Tensor => ({ dtype: "int32", shape: [inputs.length, length], data });
  return {
    input_ids: rows(inputIds),
    attention_mask: rows(attentionMask),
    ...(head.textPairs && { token_type_ids: rows(tokenTypeIds) }),
  };
}
