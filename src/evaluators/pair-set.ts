/**
 * Held-out pairs, read once and kept as encoded bytes, and the model inputs made of them: the whole picture and the whole
 * caption, as `data/` prepares them for evaluation.
 */

import type { EvaluationContext } from "../api/context.ts";
import {
  allocateRows,
  type BadSample,
  type BatchBuild,
  type BatchItem,
  createBuilder,
  joinRows,
  type Order,
  plainText,
  type Sample,
  type Source,
} from "../data/index.ts";
import { type DataSpec, openData } from "../datasets/index.ts";
import { DataError } from "../errors.ts";
import { decodeImage } from "../image/index.ts";
import { codebookImageSize } from "../models/flava/config.ts";
import type { Tensor } from "../tensor/index.ts";

/** One held-out pair. */
export interface Pair {
  readonly key: string;
  /** Equal concepts belong together: several captions or pictures of one thing. */
  readonly concept: string;
  /** Candidates of a retrieval are those of one group: the drawing style in the starter data, else "". */
  readonly group: string;
  /** The first caption. */
  readonly caption: string;
  readonly captions: readonly string[];
  /** Encoded; it was decoded once to see that it can be. */
  readonly image: Uint8Array;
  readonly meta: Sample["meta"];
}

export interface ReadOptions {
  /** Samples; the rest of the source is not read. */
  readonly max: number;
  /** Where the source may choose its order: that of this draw. Absent: the order on disk. */
  readonly order?: Order | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of every sample that is left out: incomplete, or with a picture that cannot be decoded. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

export type PairOptions = Omit<ReadOptions, "max"> & { readonly maxPairs: number };

/** The first `maxPairs` good pairs of a source, in its order. Throws DataError where there is none. */
export async function readPairs(source: Source, { maxPairs, ...options }: PairOptions): Promise<Pair[]> {
  return readImages(source, { ...options, max: maxPairs }, toPair);
}

/** Pairs that are read when first asked for; evaluators and pictures that share a set share its memory. */
export type PairSet = () => Promise<readonly Pair[]>;

/** The set of a recipe's source. */
export const pairSet = (spec: string | DataSpec, options: PairOptions): PairSet =>
  once(async () => readPairs(await openData(spec, { ...(options.signal && { signal: options.signal }) }), options));

/** Calls `make` when first asked; a failure is not remembered. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** Samples with a picture that can be decoded and of which `make` makes something; the others are told to `onBad`. */
export async function readImages<T>(
  source: Source,
  { max, order, signal, onBad }: ReadOptions,
  make: (sample: Sample & { readonly image: Uint8Array }) => T | string,
): Promise<T[]> {
  const found: T[] = [];
  for await (const { sample } of source.samples({ order, signal, onBad })) {
    const { key, image } = sample;
    const made = image ? make({ ...sample, image }) : "the image is missing";
    const reason = typeof made === "string" ? made : await reasonAgainst(key, image!, signal);
    if (reason === undefined) found.push(made as T);
    else onBad?.({ source: source.name, key, reason });
    if (found.length >= max) break;
  }
  if (found.length === 0)
    throw new DataError(
      `${source.name}: expected samples to evaluate on, got none`,
      "look at it with flava data inspect",
    );
  return found;
}

/** Why a picture cannot be used; undefined where it can. */
async function reasonAgainst(key: string, image: Uint8Array, signal?: AbortSignal): Promise<string | undefined> {
  try {
    await decodeImage(image, { key, ...(signal && { signal }) });
    return undefined;
  } catch (error) {
    if (error instanceof DataError) return error.message.split("\n")[0]!;
    throw error;
  }
}

/**
 * The concept is what the sample says. Where it says nothing, pictures of one caption are told apart by its wording, as
 * equal captions cannot be; pictures of several captions by their key, as in Karpathy's splits of COCO and Flickr30K.
 */
function toPair({ key, image, texts = [], meta }: Sample & { readonly image: Uint8Array }): Pair | string {
  const [caption] = texts;
  if (caption === undefined) return "the caption is missing";
  const said = meta?.concept;
  const concept = said !== undefined ? String(said) : texts.length === 1 ? plainText(caption) : key;
  const group = said !== undefined && typeof meta?.style === "string" ? meta.style : "";
  return { key, concept, group, caption, captions: texts, image, meta };
}

type Feeds = Record<string, Tensor>;

/** A picture on its way into a batch. */
export type Picture = Pick<Pair, "key" | "image">;

/**
 * `pixel_values` (B, 3, S, S) and `codebook_pixel_values` (B, 3, S', S') of whole pictures, decoded one after another, so
 * that no more than one is held as pixels of its own size.
 */
export const imageFeeds = (
  { model, signal }: Pick<EvaluationContext, "model" | "signal">,
  pictures: readonly Picture[],
): Promise<Feeds> => {
  const image = { size: model.image.imageSize, codebookSize: codebookImageSize(model), augment: null, mask: null };
  return builtFeeds({ kind: "image", image }, { signal }, pictures);
};

/** `input_ids` and `attention_mask` (B, T) of captions, cut and padded to `textLength`. */
export const textFeeds = (
  { tokenizer }: Pick<EvaluationContext, "tokenizer">,
  captions: readonly string[],
  textLength: number,
): Feeds => {
  const length = { maxLength: textLength, padding: "max_length" } as const;
  const { rows, inputIds, attentionMask } = tokenizer.encodeBatch(captions, length);
  const shape = [rows, textLength];
  return {
    input_ids: { dtype: "int32", shape, data: inputIds },
    attention_mask: { dtype: "int32", shape, data: attentionMask },
  };
};

/**
 * Any batch that `data/` can build, of samples that are already read. Draws (masks) are a function of `seed` and of the
 * sample's number, `first` + its place in the list.
 */
export async function builtFeeds(
  build: BatchBuild,
  of: Partial<Pick<EvaluationContext, "tokenizer" | "signal">> & { readonly seed?: number; readonly first?: number },
  samples: readonly Pick<BatchItem, "key" | "image" | "text">[],
): Promise<Feeds> {
  const { tokenizer, signal, seed = 0, first = 0 } = of;
  const { fields, needsImage, encode } = createBuilder(build, tokenizer);
  const rows = allocateRows(fields, samples.length);
  for (const [row, { key, image, text }] of samples.entries()) {
    const pixels = needsImage && image ? await decodeImage(image, { key, ...(signal && { signal }) }) : undefined;
    encode({ key, text, draw: { seed, stream: "evaluation", epoch: 0, ordinal: first + row } }, pixels, rows, row);
  }
  return joinRows(fields, [{ rows, from: 0, to: samples.length }]);
}
