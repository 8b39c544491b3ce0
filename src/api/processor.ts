/** Pictures and texts → what the model is fed, as Hugging Face's FlavaProcessor does it. */
import { CheckpointError, ConfigError, DataError } from "../errors.ts";
import { type DecodeOptions, type FlavaImageOptions, flavaEvalImage } from "../image/index.ts";
import { familyOfConfig } from "../models/index.ts";
import { size, type Tensor } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { type ImageInput, readImage } from "./image-input.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { type OpenOptions, openModelFiles, readDescriptions } from "./model-files.ts";
import { imageOptions } from "./preprocessor.ts";

/** Pictures as numbers. */
export interface ImageFeeds {
  /** (N, 3, S, S), normalised. */
  readonly pixel_values: Tensor<"float32">;
}

/** Pictures as numbers, also for the codebook. */
export interface PictureFeeds extends ImageFeeds {
  /** (N, 3, S', S'), in 0.1..0.9. */
  readonly codebook_pixel_values: Tensor<"float32">;
}

/** Texts as ids of one length T. */
export interface TextFeeds {
  /** (N, T). */
  readonly input_ids: Tensor<"int32">;
  /** (N, T): 1 for tokens, 0 for padding. */
  readonly attention_mask: Tensor<"int32">;
}

/** Texts as ids, and what of them was cut off. */
export interface EncodedTextFeeds extends TextFeeds {
  /** (N, T): all 0, as single texts are. */
  readonly token_type_ids: Tensor<"int32">;
  /** Of each text, how many of its tokens did not fit. */
  readonly truncated: readonly number[];
}

/** How texts become rows of ids. */
export interface TextOptions {
  /** "longest" pads to the longest text; a number or "max_length" to that many tokens. Default "longest". */
  readonly padding?: "longest" | "max_length" | number | undefined;
  /** The most tokens of a text, the two special ones included; the model's own maximum unless said. */
  readonly maxLength?: number | undefined;
  /** Whether longer texts are cut (and counted in `truncated`) or a DataError. Default true. */
  readonly truncation?: boolean | undefined;
}

/** What a processor is asked to prepare. */
export interface ProcessorInputs {
  readonly images?: ImageInput | readonly ImageInput[] | undefined;
  readonly text?: string | readonly string[] | undefined;
}

/** Prepares pictures and texts; call it with both, or use its two halves. */
export interface FlavaProcessor {
  (inputs: ProcessorInputs, options?: TextOptions & DecodeOptions): Promise<Partial<PictureFeeds & EncodedTextFeeds>>;
  readonly tokenizer: TextTokenizer | undefined;
  readonly maxLength: number;
  /** How pictures are prepared; absent where there are none. */
  readonly image: FlavaImageOptions | undefined;
  /** Decoded one after another, so that no more than one is held as pixels of its own size. Throws DataError, FileError. */
  images(images: readonly ImageInput[], options?: DecodeOptions): Promise<PictureFeeds>;
  /** Throws DataError for a text that is too long where it may not be cut, CheckpointError without a tokenizer. */
  texts(texts: readonly string[], options?: TextOptions): EncodedTextFeeds;
}

/** What a processor is made of. */
export interface ProcessorParts {
  /** Folder or repository, for messages. */
  readonly name?: string | undefined;
  /** Absent: there are no texts. */
  readonly tokenizer?: TextTokenizer | undefined;
  readonly maxLength: number;
  /** Absent: there are no pictures. */
  readonly image?: FlavaImageOptions | undefined;
  /** Whether pictures are turned as their EXIF orientation asks. Default false. */
  readonly applyOrientation?: boolean | undefined;
}

/** Opens processors of models: of their files, without their weights. */
export const FlavaProcessor: {
  /** Throws FileError, ConfigError, DataError. */
  fromPretrained(
    idOrPath: string,
    options?: OpenOptions & { readonly imageSize?: number | undefined },
  ): Promise<FlavaProcessor>;
} = {
  async fromPretrained(idOrPath, options = {}) {
    const files = await openModelFiles(idOrPath, options);
    const { config = {}, preprocessor, tokenizer } = await readDescriptions(files);
    const { pictures, texts } = familyOfConfig(config).of(familyOfConfig(config).fromConfig(config));
    const image = pictures && imageOptions(files.name, preprocessor, pictures, options.imageSize);
    return createProcessor({ name: files.name, tokenizer, maxLength: texts?.maxPositions ?? 0, image });
  },
};

/** The processor of a tokenizer and the sizes of pictures. */
export function createProcessor(parts: ProcessorParts): FlavaProcessor {
  const images: FlavaProcessor["images"] = (list, options = {}) => imageFeeds(parts, list, options);
  const texts: FlavaProcessor["texts"] = (list, options = {}) => textFeeds(parts, list, options);
  const both = async (inputs: ProcessorInputs, options: TextOptions & DecodeOptions = {}) => {
    if (inputs.images === undefined && inputs.text === undefined)
      throw new ConfigError("processor: expected images, text or both, got neither");
    return {
      ...(inputs.images !== undefined && (await images(listOf(inputs.images), options))),
      ...(inputs.text !== undefined && texts(listOf(inputs.text), options)),
    };
  };
  return Object.assign(both, {
    tokenizer: parts.tokenizer,
    maxLength: parts.maxLength,
    image: parts.image,
    images,
    texts,
  });
}

/** The processor of a model that is loaded: as published, at the model's own sizes. */
export const processorOf = ({
  name,
  model,
  tokenizer,
}: Pick<LoadedModel, "name" | "model" | "tokenizer">): FlavaProcessor =>
  createProcessor({
    name,
    tokenizer,
    maxLength: model.texts?.maxPositions ?? 0,
    image: model.pictures && imageOptions(model.family, undefined, model.pictures),
  });

/** One or many as many. */
export const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

async function imageFeeds(
  { image, applyOrientation }: ProcessorParts,
  list: readonly ImageInput[],
  options: DecodeOptions,
): Promise<PictureFeeds> {
  if (!image) throw new ConfigError("processor: expected a model with an image encoder, got pictures for one without");
  const { size: side, codebookSize, cropSize = side, codebookCropSize = codebookSize } = image;
  const shapes = {
    pixel_values: [3, cropSize, cropSize],
    codebook_pixel_values: [3, codebookCropSize, codebookCropSize],
  };
  const room = (shape: readonly number[]): Tensor<"float32"> => ({
    dtype: "float32",
    shape: [list.length, ...shape],
    data: new Float32Array(list.length * size(shape)),
  });
  const feeds = { pixel_values: room(shapes.pixel_values), codebook_pixel_values: room(shapes.codebook_pixel_values) };
  for (const [row, input] of list.entries()) {
    const part = (name: keyof typeof shapes): Float32Array =>
      feeds[name].data.subarray(row * size(shapes[name]), (row + 1) * size(shapes[name]));
    const out = { pixel_values: part("pixel_values"), codebook_pixel_values: part("codebook_pixel_values") };
    const turned = applyOrientation === undefined ? options : { applyOrientation, ...options };
    flavaEvalImage(await readImage(input, turned), image, out);
  }
  return feeds;
}

/** Throws CheckpointError where there is none: the model came without. */
export function tokenizerOf({
  name = "processor",
  tokenizer,
}: Pick<ProcessorParts, "name" | "tokenizer">): TextTokenizer {
  if (tokenizer) return tokenizer;
  throw new CheckpointError(`${name}: expected tokenizer.json or vocab.txt beside the weights, got neither`);
}

function textFeeds(
  parts: ProcessorParts,
  texts: readonly string[],
  { padding = "longest", maxLength = parts.maxLength, truncation = true }: TextOptions,
): EncodedTextFeeds {
  const tokenizer = tokenizerOf(parts);
  const most = parts.maxLength;
  const limit = Math.min(maxLength, most, typeof padding === "number" ? padding : most);
  if (!Number.isInteger(limit) || limit < 2)
    throw new ConfigError(`processor: expected maxLength of at least 2 (the special tokens), got ${limit}`);
  const { cls, sep, pad } = tokenizer.special;
  const rows = texts.map((text, i) => {
    if (typeof text !== "string") throw new DataError(`text ${i}: expected a string, got ${typeof text}`);
    const ids = tokenizer.ids(text);
    const over = Math.max(0, ids.length + 2 - limit);
    if (over > 0 && !truncation)
      throw new DataError(
        `text ${i}: expected at most ${limit} tokens, got ${ids.length + 2}: ${JSON.stringify(text.slice(0, 60))}`,
        "truncation: true cuts it",
      );
    return { ids: [cls, ...ids.slice(0, limit - 2), sep], over };
  });
  const longest = rows.reduce((length, { ids }) => Math.max(length, ids.length), 0);
  const length = padding === "longest" ? longest : limit;
  const room = (fill: number): Tensor<"int32"> => ({
    dtype: "int32",
    shape: [texts.length, length],
    data: new Int32Array(texts.length * length).fill(fill),
  });
  const [input_ids, attention_mask] = [room(pad), room(0)];
  for (const [row, { ids }] of rows.entries()) {
    input_ids.data.set(ids, row * length);
    attention_mask.data.fill(1, row * length, row * length + ids.length);
  }
  return { input_ids, attention_mask, token_type_ids: room(0), truncated: rows.map(({ over }) => over) };
}
