/** `pipeline(task, model, options)`: a task in one call, with the names, options and result fields of transformers.js. */
import { ConfigError, DataError } from "../errors.ts";
import { size } from "../tensor/index.ts";
import { captionsOf } from "./captions.ts";
import type { Texts } from "./encode.ts";
import { type CallOptions, FlavaModel } from "./flava-model.ts";
import type { ImageInput } from "./image-input.ts";
import type { LoadOptions } from "./load.ts";
import { dot, meanRows, poolTokens, softmax, unitRows } from "./numbers.ts";
import { type OutputTensor, output } from "./output.ts";
import { type LabelScore, ranked } from "./probe.ts";
import { listOf } from "./processor.ts";

/** How many results are given: transformers.js' spelling, or ours. */
export interface TopK {
  readonly top_k?: number | undefined;
  readonly topK?: number | undefined;
}

export interface ZeroShotOptions extends TopK, CallOptions {
  /** What becomes a text of a label: `{}` stands for it. With several, their embeddings are averaged. */
  readonly hypothesis_template?: string | readonly string[] | undefined;
}

export interface ImageFeatureOptions extends CallOptions {
  /** True: the pooler's output (N, D). False: the states of all tokens (N, P, D). Unless said: embeddings (N, E) of length 1. */
  readonly pool?: boolean | undefined;
}

export interface TextFeatureOptions extends CallOptions {
  /** "none" (the default): the states of all tokens (N, T, D); "mean", "cls": one of them (N, D); "projection": (N, E). */
  readonly pooling?: "none" | "mean" | "cls" | "projection" | undefined;
  /** Whether rows are brought to length 1. Default false. */
  readonly normalize?: boolean | undefined;
}

export interface FillMaskPipelineOptions extends TopK, CallOptions {
  readonly image?: ImageInput | undefined;
}

/** One picture gives one result, a list of them a list. */
interface PerImage<A extends unknown[], R> {
  (image: ImageInput, ...rest: A): Promise<R>;
  (images: readonly ImageInput[], ...rest: A): Promise<R[]>;
}

/** A text, or a pair of them, with transformers' names. */
export type TextToClassify = string | { readonly text: string; readonly text_pair?: string | undefined };

/** One text gives one result, a list of them a list. */
interface PerText<A extends unknown[], R> {
  (text: TextToClassify, ...rest: A): Promise<R>;
  (texts: readonly TextToClassify[], ...rest: A): Promise<R[]>;
}

type Filled = Awaited<ReturnType<FlavaModel["fillMask"]>>[number];

/** What each task is called with, and what it gives. */
export interface Pipelines {
  "zero-shot-image-classification": PerImage<[labels: readonly string[], options?: ZeroShotOptions], LabelScore[]>;
  "image-feature-extraction": (
    images: ImageInput | readonly ImageInput[],
    options?: ImageFeatureOptions,
  ) => Promise<OutputTensor>;
  "feature-extraction": (texts: string | readonly string[], options?: TextFeatureOptions) => Promise<OutputTensor>;
  "image-text-matching": {
    (image: ImageInput, text: string, options?: CallOptions): Promise<LabelScore>;
    (
      images: ImageInput | readonly ImageInput[],
      texts: string | readonly string[],
      options?: CallOptions,
    ): Promise<LabelScore[]>;
  };
  "fill-mask": (text: string, options?: FillMaskPipelineOptions) => Promise<Filled | Filled[]>;
  "image-classification": PerImage<[options?: TopK & CallOptions], LabelScore[]>;
  /** A text, or two as `{ text, text_pair }`; the best class of each unless `top_k` says more, as in transformers.js. */
  "text-classification": PerText<[options?: TopK & CallOptions], LabelScore[]>;
  /** A picture and a question: the five best answers. */
  "visual-question-answering": (
    image: ImageInput,
    question: string,
    options?: TopK & CallOptions,
  ) => Promise<{ readonly answer: string; readonly score: number }[]>;
  /** A picture with a text, for a model that was fine-tuned on such pairs. */
  "image-text-classification": (image: ImageInput, text: string, options?: TopK & CallOptions) => Promise<LabelScore[]>;
}

/** A task that FLAVA serves. */
export type TaskName = keyof Pipelines;

/** A task's function, with the model that it asks. */
export type Pipeline<T extends TaskName> = Pipelines[T] &
  AsyncDisposable & {
    readonly task: T;
    readonly model: FlavaModel;
    dispose(): Promise<void>;
  };

const TASKS: { readonly [T in TaskName]: (model: FlavaModel) => (...args: never[]) => Promise<unknown> } = {
  "zero-shot-image-classification": zeroShot,
  "image-feature-extraction": imageFeatures,
  "feature-extraction": textFeatures,
  "image-text-matching": matching,
  "fill-mask": fill,
  "image-classification": classification,
  "text-classification": textClassification,
  "visual-question-answering": answering,
  "image-text-classification": pairClassification,
};

/**
 * Opens a model for a task, or takes one that is open. Throws ConfigError for a task that there is none of, and what `fromPretrained`
 * throws.
 */
export async function pipeline<T extends TaskName>(
  task: T,
  model: string | FlavaModel,
  options: LoadOptions = {},
): Promise<Pipeline<T>> {
  if (!Object.hasOwn(TASKS, task))
    throw new ConfigError(`pipeline: expected one of ${Object.keys(TASKS).join(", ")}, got "${task}"`);
  const opened = typeof model === "string" ? await FlavaModel.fromPretrained(model, options) : model;
  const dispose = async (): Promise<void> => opened.dispose();
  return Object.assign(TASKS[task](opened) as object, {
    task,
    model: opened,
    dispose,
    [Symbol.asyncDispose]: dispose,
  }) as Pipeline<T>;
}

const top = <R>(ranked: readonly R[], { top_k, topK = top_k }: TopK): R[] => ranked.slice(0, topK ?? ranked.length);

function zeroShot(model: FlavaModel) {
  let known: { readonly key: string; readonly embeds: OutputTensor } | undefined;
  const embedLabels = async (
    labels: readonly string[],
    templates: readonly string[],
    signal?: AbortSignal,
  ): Promise<OutputTensor> => {
    const key = JSON.stringify([labels, templates]);
    if (known?.key !== key) {
      const { text_embeds } = await model.encodeText(captionsOf(labels, templates), {
        outputs: ["text_embeds"],
        signal,
      });
      known = { key, embeds: meanRows(text_embeds, templates.length) };
    }
    return known.embeds;
  };
  return async (
    images: ImageInput | readonly ImageInput[],
    labels: readonly string[],
    options: ZeroShotOptions = {},
  ) => {
    const { hypothesis_template = "This is a photo of {}", signal } = options;
    const templates = typeof hypothesis_template === "string" ? [hypothesis_template] : hypothesis_template;
    const without = templates.find((template) => !template.includes("{}"));
    if (templates.length === 0 || without !== undefined)
      throw new ConfigError(`hypothesis_template: expected {} where the label goes, got ${JSON.stringify(without)}`);
    const list = labelsOf(labels);
    const texts = await embedLabels(list, templates, signal);
    const { image_embeds } = await model.encodeImage(images, { outputs: ["image_embeds"], signal });
    const scale = await model.logitScale();
    const each = Array.from({ length: image_embeds.shape[0]! }, (_, i) => {
      const row = image_embeds.row(i);
      return top(ranked(list, softmax(list.map((_, m) => scale * dot(row, texts.row(m))))), options);
    });
    return Array.isArray(images) ? each : each[0];
  };
}

function labelsOf(labels: readonly string[]): readonly string[] {
  const list = listOf(labels as string | readonly string[]);
  if (list.length === 0) throw new DataError("labels: expected at least one, got none");
  return list;
}

function imageFeatures(model: FlavaModel) {
  return async (
    images: ImageInput | readonly ImageInput[],
    { pool, signal }: ImageFeatureOptions = {},
  ): Promise<OutputTensor> => {
    const wanted = pool === undefined ? "image_embeds" : pool ? "pooler_output" : "image_embeddings";
    return (await model.encodeImage(images, { outputs: [wanted], signal }))[wanted];
  };
}

function textFeatures(model: FlavaModel) {
  return async (
    texts: Texts,
    { pooling = "none", normalize = false, signal }: TextFeatureOptions = {},
  ): Promise<OutputTensor> => {
    const ready = typeof texts === "object" && "input_ids" in texts ? texts : model.prepareTexts(texts);
    const wanted = pooling === "projection" ? "text_features" : "text_embeddings";
    const found = (await model.encodeText(ready, { outputs: [wanted], signal }))[wanted];
    const mask = ready.attention_mask?.data ?? new Int32Array(size(ready.input_ids.shape)).fill(1);
    const pooled =
      pooling === "mean" ? poolTokens(found, mask) : pooling === "cls" ? poolTokens(found, undefined) : found;
    if (!normalize) return pooled;
    return output({
      ...pooled,
      dtype: "float32",
      data: unitRows(Float32Array.from(pooled.data), pooled.shape.at(-1)!),
    });
  };
}

function matching(model: FlavaModel) {
  return async (
    images: ImageInput | readonly ImageInput[],
    texts: string | readonly string[],
    options: CallOptions = {},
  ) => {
    const scores = await model.match(images, texts, options);
    const each = scores.map((score) => ({ label: score >= 0.5 ? "match" : "no match", score }));
    return Array.isArray(images) || Array.isArray(texts) ? each : each[0];
  };
}

function fill(model: FlavaModel) {
  return async (text: string, { image, signal, top_k = 5, topK = top_k }: FillMaskPipelineOptions = {}) => {
    const filled = await model.fillMask(text, { image, signal, topK });
    return filled.length === 1 ? filled[0]! : filled;
  };
}

function classification(model: FlavaModel) {
  return async (images: ImageInput | readonly ImageInput[], options: TopK & CallOptions = {}) => {
    const each = (await model.classify(images, options)).map((scores) => top(scores, { top_k: 5, ...options }));
    return Array.isArray(images) ? each : each[0];
  };
}

function textClassification(model: FlavaModel) {
  return async (texts: TextToClassify | readonly TextToClassify[], options: TopK & CallOptions = {}) => {
    const list = listOf(texts as TextToClassify | readonly TextToClassify[]).map((one) =>
      typeof one === "string" ? { text: one } : { text: one.text, textPair: one.text_pair },
    );
    const each = (await model.predict(list, options)).map((scores) => top(scores, { top_k: 1, ...options }));
    return Array.isArray(texts) ? each : each[0];
  };
}

function pairClassification(model: FlavaModel) {
  return async (image: ImageInput, text: string, options: TopK & CallOptions = {}): Promise<LabelScore[]> => {
    const [scores] = await model.predict([{ image, text }], options);
    return top(scores!, { top_k: 5, ...options });
  };
}

function answering(model: FlavaModel) {
  const ask = pairClassification(model);
  return async (image: ImageInput, question: string, options: TopK & CallOptions = {}) =>
    (await ask(image, question, options)).map(({ label, score }) => ({ answer: label, score }));
}
