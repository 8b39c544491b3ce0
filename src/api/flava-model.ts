/** A FLAVA with its weights on a device, and everything that can be asked of it. */
import { CheckpointError } from "../errors.ts";
import type { FlavaImageOptions } from "../image/index.ts";
import type { Model } from "../models/index.ts";
import type { Device } from "../runtime/index.ts";
import { allocate, type Tensor } from "../tensor/index.ts";
import { unknownWords } from "../text/index.ts";
import { type AttentionMap, attentionMap } from "./attention.ts";
import {
  type Encoding,
  encodeImages,
  encodePairs,
  encodeTexts,
  IMAGE_OUTPUTS,
  type ImageOutput,
  type Images,
  PAIR_OUTPUTS,
  type PairOutput,
  TEXT_OUTPUTS,
  type TextOutput,
  type Texts,
  textFeeds,
} from "./encode.ts";
import { type FilledMask, type FillMaskOptions, fillMask } from "./fill-mask.ts";
import { type GraphKind, Graphs } from "./graphs.ts";
import type { ImageInput } from "./image-input.ts";
import { type LoadOptions, openLoaded } from "./load.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { type OutputTensor, output } from "./output.ts";
import { type LabelScore, PROBE_FILE, type Probe, probeScores } from "./probe.ts";
import {
  createProcessor,
  type EncodedTextFeeds,
  type FlavaProcessor,
  listOf,
  processorOf,
  type TextOptions,
  tokenizerOf,
} from "./processor.ts";
import { type ScoreMatrices, scoreMatrices } from "./score-matrices.ts";
import { type Embedded, embedImages, embedTexts, type NotEmbedded, type StreamOptions } from "./stream.ts";
import { type LoadedTask, requireTask, type TaskInput, taskLogits, taskScores } from "./task.ts";

/** Which results are computed, and how the call is stopped. */
export interface ResultOptions<O extends string> {
  /** Everything that the model has, unless said; fewer cost less. */
  readonly outputs?: readonly O[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Stops a call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How pictures and texts compare. */
export interface Similarity {
  /** (N, M): cosines. */
  readonly similarity: OutputTensor;
  /** (N, M): cosines times the model's factor. */
  readonly logits_per_image: OutputTensor;
  /** (M, N). */
  readonly logits_per_text: OutputTensor;
}

/** What a model is made of when its weights are the caller's. */
export interface ModelParts extends TextOptions {
  readonly probe?: Probe | undefined;
  /** How pictures are prepared; at the model's own size, as published, unless said. */
  readonly image?: FlavaImageOptions | undefined;
  readonly applyOrientation?: boolean | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Opened by `fromPretrained`, or put around a model that is loaded already by `of`. Results have Hugging Face's names. */
export class FlavaModel implements Disposable, AsyncDisposable {
  /** config.json as it was read; empty where the weights are the caller's. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Sizes, and what such a model can do. */
  readonly model: Model;
  readonly processor: FlavaProcessor;
  readonly device: Device;
  /** Samples that go through the model at once. */
  readonly batchSize: number;
  /** Tells the weights from others, 16 hexadecimal digits; absent where they are the caller's. */
  readonly weightsHash: string | undefined;
  readonly #encoding: Encoding;
  readonly #owned: boolean;
  readonly #probe: Probe | undefined;
  #scale: number | undefined;

  private constructor(loaded: LoadedModel, parts: ModelParts, config: Readonly<Record<string, unknown>> | undefined) {
    const { name, model, device, tokenizer } = loaded;
    const { image, applyOrientation, onWarning = () => undefined, padding, maxLength, truncation } = parts;
    this.model = model;
    this.device = device;
    this.batchSize = loaded.batchSize;
    this.weightsHash = loaded.weightsHash;
    this.processor = image
      ? createProcessor({ name, tokenizer, maxLength: model.texts?.maxPositions ?? 0, image, applyOrientation })
      : processorOf(loaded);
    const graphs = new Graphs(loaded, image?.cropSize ?? image?.size ?? model.pictures?.size ?? 0);
    const texts = { padding, maxLength, truncation };
    this.#encoding = { loaded, processor: this.processor, graphs, texts, onWarning };
    this.#probe = parts.probe;
    this.config = config ?? {};
    this.#owned = config !== undefined;
  }

  /** Around weights that are the caller's: `dispose` leaves them. */
  static of(loaded: LoadedModel, parts: ModelParts = {}): FlavaModel {
    return new FlavaModel(loaded, parts, undefined);
  }

  /**
   * Opens a folder (of a run, or in the Hub's layout) or a repository of the Hub.
   * Throws FileError, CheckpointError, ConfigError, EngineError.
   */
  static async fromPretrained(idOrPath: string, options: LoadOptions = {}): Promise<FlavaModel> {
    const { loaded, config, ...found } = await openLoaded(idOrPath, options);
    options.progressCallback?.({ status: "ready", task: "flava", model: idOrPath });
    return new FlavaModel(loaded, { ...options, ...found }, config);
  }

  /** What the model was made of; its state holds the weights. */
  get loaded(): LoadedModel {
    return this.#encoding.loaded;
  }

  /** Whether the model has a result and the weights for it. */
  gives(result: ImageOutput | TextOutput | PairOutput): boolean {
    const kind = result.startsWith("image_") ? "image" : result.startsWith("text_") ? "text" : "fusion";
    return this.#encoding.graphs.available(kind, [result]).length > 0;
  }

  /** Pictures → `image_embeds` (N, E) of length 1, `image_features` (N, E), `pooler_output` (N, D), `image_embeddings` (N, P, D). */
  async encodeImage<const O extends ImageOutput = ImageOutput>(
    images: Images,
    options: ResultOptions<O> = {},
  ): Promise<Record<O, OutputTensor>> {
    const outputs = options.outputs ?? this.#available("image", IMAGE_OUTPUTS);
    return encodeImages(this.#encoding, images, { ...options, outputs }) as Promise<Record<O, OutputTensor>>;
  }

  /** Texts → `text_embeds` (N, E) of length 1, `text_features` (N, E), `pooler_output` (N, D), `text_embeddings` (N, T, D). */
  async encodeText<const O extends TextOutput = TextOutput>(
    texts: Texts,
    options: ResultOptions<O> = {},
  ): Promise<Record<O, OutputTensor>> {
    const outputs = options.outputs ?? this.#available("text", TEXT_OUTPUTS);
    return encodeTexts(this.#encoding, texts, { ...options, outputs }) as Promise<Record<O, OutputTensor>>;
  }

  /**
   * The i-th picture with the i-th text, or one with each of the others → `multimodal_embeddings` (N, 1 + P + T, D): CLS, the picture's
   * tokens, the text's; its `pooler_output`, `itm_logits` (N, 2), and the results of both encoders but for their poolers. Of a model that
   * writes captions `multimodal_embeddings` (N, T, D) are its decoder's, and `caption_log_likelihood` (N) is the mean over the text's tokens.
   */
  async encodePair<const O extends PairOutput = PairOutput>(
    images: Images,
    texts: Texts,
    options: ResultOptions<O> = {},
  ): Promise<Record<O, OutputTensor>> {
    const of = (own: RegExp): string[] => PAIR_OUTPUTS.filter((name) => own.test(name));
    const { graphs } = this.#encoding;
    const outputs = options.outputs ?? [
      ...this.#available("fusion", of(/^(multimodal_embeddings|pooler_output|itm_logits|caption_log_likelihood)$/)),
      ...graphs.available("image", of(/^image_/)), // a model whose encoders give nothing of their own still has pairs
      ...graphs.available("text", of(/^text_/)),
    ];
    return encodePairs(this.#encoding, images, texts, { ...options, outputs }) as Promise<Record<O, OutputTensor>>;
  }

  /** For each pair, the probability that the text belongs to the picture, by the matching head of the multimodal encoder. */
  async match(images: Images, texts: Texts, options: CallOptions = {}): Promise<number[]> {
    const { itm_logits } = await this.encodePair(images, texts, { ...options, outputs: ["itm_logits"] });
    return Array.from({ length: itm_logits.shape[0]! }, (_, i) => {
      const [no, yes] = itm_logits.row(i) as unknown as [number, number];
      return 1 / (1 + Math.exp(no - yes));
    });
  }

  /** Each of N pictures with each of M texts. */
  async similarity(images: Images, texts: Texts, options: CallOptions = {}): Promise<Similarity> {
    const { image_embeds } = await this.encodeImage(images, { ...options, outputs: ["image_embeds"] });
    const { text_embeds } = await this.encodeText(texts, { ...options, outputs: ["text_embeds"] });
    return compare(image_embeds, text_embeds, await this.logitScale());
  }

  /** Where each word of the text looks in the picture, by the last layer of the multimodal encoder. */
  async attention(image: ImageInput, text: string, { signal }: CallOptions = {}): Promise<AttentionMap> {
    return attentionMap(this.#encoding, image, text, signal);
  }

  /** Who reads whom in each layer of the multimodal encoder, before the softmax. Throws CheckpointError for a model without one. */
  async scores(image: ImageInput, text: string, { signal }: CallOptions = {}): Promise<ScoreMatrices> {
    return scoreMatrices(this.#encoding, image, text, signal);
  }

  /** What cosines are multiplied by: e to the checkpoint's `logit_scale`, or 1 over its temperature. */
  async logitScale(): Promise<number> {
    const { state, model, name = "model" } = this.#encoding.loaded;
    const { logitScale } = model;
    if (!logitScale || !state.has(logitScale.name))
      throw new CheckpointError(
        `${name}: expected ${logitScale?.name ?? "a contrastive space"} for logits, got none`,
        model.lacks?.image_embeds,
      );
    const [low, high] = logitScale.range;
    const stored = Math.min(high, Math.max(low, Number((await state.read(logitScale.name)).data[0])));
    this.#scale ??= logitScale.form === "temperature" ? 1 / stored : Math.exp(stored);
    return this.#scale;
  }

  /** The classes that the model was fine-tuned for, or of the probe beside it, for each picture, best first. Throws CheckpointError where there is neither. */
  async classify(images: Images, options: CallOptions = {}): Promise<LabelScore[][]> {
    const { name = "model", task } = this.#encoding.loaded;
    if (task?.head.inputs === "image" && "pixel_values" in Object(images) === false)
      return this.predict(
        listOf(images as ImageInput | readonly ImageInput[]).map((image) => ({ image })),
        options,
      );
    const probe = this.#probe;
    if (!probe)
      throw new CheckpointError(`${name}: expected ${PROBE_FILE} beside the model, got none`, "train one: flava probe");
    const wanted = probe.input === "cls" ? "image_embeddings" : probe.input;
    const found = (await this.encodeImage(images, { ...options, outputs: [wanted] }))[wanted];
    const D = found.shape.at(-1)!;
    if (probe.weight.shape[1] !== D)
      throw new CheckpointError(
        `${name}: ${PROBE_FILE}: expected weights for rows of ${D}, got ${probe.weight.shape[1]}`,
      );
    return Array.from({ length: found.shape[0]! }, (_, i) => probeScores(probe, found.row(i).subarray(0, D)));
  }

  /** What the model was fine-tuned for; undefined for one that was not. */
  get task(): LoadedTask | undefined {
    return this.#encoding.loaded.task;
  }

  /** The fine-tuned head's numbers (N, outputs), before any softmax. Throws CheckpointError for a model without a head, DataError. */
  async taskLogits(inputs: readonly TaskInput[], options: CallOptions = {}): Promise<OutputTensor> {
    return taskLogits(this.#encoding, inputs, options);
  }

  /** What a fine-tuned model says of each sample, best first: classes or answers with their probabilities, or the number. */
  async predict(inputs: readonly TaskInput[], options: CallOptions = {}): Promise<LabelScore[][]> {
    const task = requireTask(this.#encoding);
    const logits = await this.taskLogits(inputs, options);
    return Array.from({ length: inputs.length }, (_, i) => taskScores(task, logits.row(i)));
  }

  /** The words of a text that the model's vocabulary does not know: it reads nothing in them. */
  unknownWords(text: string): string[] {
    return unknownWords(tokenizerOf(this.#encoding.loaded), text);
  }

  /** Texts as the model reads them: cut and padded as its options and its training ask for. What is cut is told `onWarning`. */
  prepareTexts(texts: string | readonly string[]): EncodedTextFeeds {
    return textFeeds(this.#encoding, listOf(texts));
  }

  /** For each `[MASK]` of the text, the likeliest words. */
  async fillMask(text: string, options: FillMaskOptions = {}): Promise<FilledMask[][]> {
    return fillMask(this.#encoding, text, options);
  }

  /** Hugging Face's get_image_features, of CLS: the contrastive projection (N, E), not normalised. */
  async getImageFeatures(images: Images, options: CallOptions = {}): Promise<OutputTensor> {
    return (await this.encodeImage(images, { ...options, outputs: ["image_features"] })).image_features;
  }

  /** Hugging Face's get_text_features, of CLS: (N, E), not normalised. */
  async getTextFeatures(texts: Texts, options: CallOptions = {}): Promise<OutputTensor> {
    return (await this.encodeText(texts, { ...options, outputs: ["text_features"] })).text_features;
  }

  /** The image encoder's pooler, tanh of a dense layer on CLS: (N, D). */
  async getImagePooled(images: Images, options: CallOptions = {}): Promise<OutputTensor> {
    return (await this.encodeImage(images, { ...options, outputs: ["pooler_output"] })).pooler_output;
  }

  /** The text encoder's pooler: (N, D). */
  async getTextPooled(texts: Texts, options: CallOptions = {}): Promise<OutputTensor> {
    return (await this.encodeText(texts, { ...options, outputs: ["pooler_output"] })).pooler_output;
  }

  /** The multimodal encoder's pooler: (N, D). */
  async getMultimodalPooled(images: Images, texts: Texts, options: CallOptions = {}): Promise<OutputTensor> {
    return (await this.encodePair(images, texts, { ...options, outputs: ["pooler_output"] })).pooler_output;
  }

  /** Embeddings of a stream of pictures, in its order and in bounded memory. */
  embedImages<T extends ImageInput>(
    stream: Iterable<T> | AsyncIterable<T>,
    options: StreamOptions = {},
  ): AsyncGenerator<Embedded<T> | NotEmbedded<T>> {
    return embedImages(this.#encoding, stream, options);
  }

  /** Embeddings of a stream of texts, in its order and in bounded memory. */
  embedTexts(
    stream: Iterable<string> | AsyncIterable<string>,
    options: StreamOptions = {},
  ): AsyncGenerator<Embedded<string> | NotEmbedded<string>> {
    return embedTexts(this.#encoding, stream, options);
  }

  /** Frees the sessions, and the weights where `fromPretrained` has read them. */
  dispose(): void {
    this.#encoding.graphs.dispose();
    if (this.#owned) this.#encoding.loaded.state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  #available(kind: GraphKind, outputs: readonly string[]): string[] {
    this.#encoding.graphs.need(kind, []);
    const found = this.#encoding.graphs.available(kind, outputs);
    if (found.length === 0) this.#encoding.graphs.need(kind, outputs);
    return found;
  }
}

/** Cosines of rows of length 1, and the logits that they make. */
export function compare(images: Tensor, texts: Tensor, scale: number): Similarity {
  const [N, M, E] = [images.shape[0]!, texts.shape[0]!, images.shape[1]!];
  const make = (shape: readonly number[], value: (i: number) => number): OutputTensor => {
    const data = allocate(images.dtype, N * M) as Float32Array;
    return output({ dtype: images.dtype, shape, data: data.map((_, i) => value(i)) } as Tensor);
  };
  const [a, b] = [images.data as Float32Array, texts.data as Float32Array];
  const cosines = new Float64Array(N * M);
  for (let n = 0; n < N; n++)
    for (let m = 0; m < M; m++) {
      let sum = 0;
      for (let e = 0; e < E; e++) sum += a[n * E + e]! * b[m * E + e]!;
      cosines[n * M + m] = sum;
    }
  return {
    similarity: make([N, M], (i) => cosines[i]!),
    logits_per_image: make([N, M], (i) => scale * cosines[i]!),
    logits_per_text: make([M, N], (i) => scale * cosines[(i % N) * M + Math.floor(i / N)]!),
  };
}
