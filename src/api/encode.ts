/** Any number of pictures, texts and pairs through the encoders, batch by batch: the next one is prepared while the engine is at work. */
import { DataError, ShapeError, settled } from "../errors.ts";
import { allocate, type Feeds, size, type Tensor } from "../tensor/index.ts";
import type { GraphKind, Graphs } from "./graphs.ts";
import type { ImageInput } from "./image-input.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { cutSecond, type OutputTensor, Rows } from "./output.ts";
import {
  type EncodedTextFeeds,
  type FlavaProcessor,
  type ImageFeeds,
  listOf,
  type TextFeeds,
  type TextOptions,
} from "./processor.ts";
import { batches } from "./runner.ts";

/** What encoding works on. */
export interface Encoding {
  readonly loaded: LoadedModel;
  readonly processor: FlavaProcessor;
  readonly graphs: Graphs;
  readonly texts: TextOptions;
  /** Told what was cut, for people. */
  readonly onWarning: (message: string) => void;
}

/** Pictures in any form, or what a processor made of them. */
export type Images = ImageInput | readonly ImageInput[] | ImageFeeds;
/** Texts, or what a processor made of them; without `attention_mask` every id counts. */
export type Texts = string | readonly string[] | (Pick<TextFeeds, "input_ids"> & Partial<TextFeeds>);

/** What the image encoder gives, with the names that callers use. */
export const IMAGE_OUTPUTS = ["image_embeds", "image_features", "pooler_output", "image_embeddings"] as const;
/** What the text encoder gives. */
export const TEXT_OUTPUTS = ["text_embeds", "text_features", "pooler_output", "text_embeddings"] as const;
/** What a picture and a text together give: of the multimodal encoder, then of the two others. */
export const PAIR_OUTPUTS = [
  "multimodal_embeddings",
  "pooler_output",
  "itm_logits",
  "caption_log_likelihood",
  "image_embeds",
  "image_features",
  "image_embeddings",
  "text_embeds",
  "text_features",
  "text_embeddings",
] as const;
/** Those of a pair that are its encoders' own. */
const UNIMODAL = /^(image|text)_/;

export type ImageOutput = (typeof IMAGE_OUTPUTS)[number];
export type TextOutput = (typeof TEXT_OUTPUTS)[number];
export type PairOutput = (typeof PAIR_OUTPUTS)[number];

/** Which results are computed, and how the call is stopped. */
export interface EncodeOptions {
  readonly outputs: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Named results, a row for each sample. */
type Results = Record<string, OutputTensor>;

/** Results of one token each: they need texts of one length. */
const perToken = (name: string): boolean => /^(text|multimodal)_embeddings$/.test(name);

/** What `prepare` makes of each item; one item is prepared while the one before is used. */
export async function* ahead<T, U>(items: Iterable<T>, prepare: (item: T) => Promise<U>): AsyncGenerator<U> {
  let next: Promise<U> | undefined;
  for (const item of items) {
    const coming = prepare(item);
    void settled(coming);
    if (next) yield await next;
    next = coming;
  }
  if (next) yield await next;
}

/** Pictures through the image encoder. */
export async function encodeImages(
  encoding: Encoding,
  images: Images,
  { outputs, signal }: EncodeOptions,
): Promise<Results> {
  const { graphs, loaded } = encoding;
  graphs.need("image", outputs);
  const source = imageSource(encoding, images, signal);
  const rows = new ResultRows(graphs, "image", outputs, source.count);
  const parts = batches(range(source.count), loaded.batchSize);
  for await (const { places, feeds } of ahead(parts, async ([, places]) => ({
    places,
    feeds: await source.feeds(places),
  })))
    rows.add(await graphs.run("image", feeds, outputs, signal), places);
  return rows.tensors();
}

/** Texts through the text encoder; those of like length go together, the results are in the order of the texts. */
export async function encodeTexts(
  encoding: Encoding,
  texts: Texts,
  { outputs, signal }: EncodeOptions,
): Promise<Results> {
  const { graphs, loaded } = encoding;
  graphs.need("text", outputs);
  const source = textSource(encoding, texts);
  const rows = new ResultRows(graphs, "text", outputs, source.count);
  const whole = outputs.some(perToken);
  const order = whole ? range(source.count) : range(source.count).sort((a, b) => source.length(a) - source.length(b));
  for (const [, places] of batches(order, loaded.batchSize)) {
    const found = await graphs.run("text", source.feeds(places, whole), outputs, signal);
    rows.add(whole ? cutTokens(found, "text_embeddings", source.longest) : found, places);
  }
  return rows.tensors();
}

/**
 * Pairs: the i-th picture with the i-th text, or one of them with each of the other's. Throws DataError for lists of two lengths.
 * Pictures and texts that are in several pairs are encoded once.
 */
export async function encodePairs(
  encoding: Encoding,
  images: Images,
  texts: Texts,
  { outputs, signal }: EncodeOptions,
): Promise<Results> {
  const { graphs, loaded } = encoding;
  const of = (start: string): string[] => outputs.filter((name) => name.startsWith(start));
  const wanted = { image: ["image_mm", ...of("image_")], text: ["text_mm", ...of("text_")] };
  const fused = outputs.filter((name) => !UNIMODAL.test(name));
  graphs.need("fusion", fused);
  for (const kind of ["image", "text"] as const) graphs.need(kind, wanted[kind]);
  const [pictures, captions] = [imageSource(encoding, images, signal), textSource(encoding, texts)];
  const count = pairCount(pictures.count, captions.count);
  const whole = outputs.some(perToken) || captions.count === 1;
  const rows = {
    image: new ResultRows(graphs, "image", of("image_"), count),
    text: new ResultRows(graphs, "text", of("text_"), count),
    fusion: new ResultRows(graphs, "fusion", fused, count),
  };
  const shared = {
    image: once(async () => graphs.run("image", await pictures.feeds([0]), wanted.image, signal)),
    text: once(() => graphs.run("text", captions.feeds([0], true), wanted.text, signal)),
  };
  const prepare = async ([, places]: readonly [number, readonly number[]]) => ({
    places,
    feeds: pictures.count > 1 ? await pictures.feeds(places) : undefined,
  });
  for await (const { places, feeds } of ahead(batches(range(count), loaded.batchSize), prepare)) {
    const n = places.length;
    const image = feeds ? await graphs.run("image", feeds, wanted.image, signal) : repeat(await shared.image(), n);
    const ids = captions.count > 1 ? captions.feeds(places, whole) : repeat(captions.feeds([0], true), n);
    const text =
      captions.count > 1 ? await graphs.run("text", ids, wanted.text, signal) : repeat(await shared.text(), n);
    const { image_mm, text_mm } = { ...image, ...text } as Record<"image_mm" | "text_mm", Tensor>;
    rows.image.add(image, places);
    rows.text.add(cutTokens(text, "text_embeddings", captions.longest), places);
    if (fused.length === 0) continue;
    const found = await graphs.run("fusion", { image_mm, text_mm, ...ids }, fused, signal);
    const padded = text_mm.shape[1]! - captions.longest;
    const length = (found.multimodal_embeddings?.shape[1] ?? 0) - padded;
    rows.fusion.add(cutTokens(found, "multimodal_embeddings", length), places);
  }
  return { ...rows.image.tensors(), ...rows.text.tensors(), ...rows.fusion.tensors() };
}

function pairCount(images: number, texts: number): number {
  if (images === texts || texts === 1) return images;
  if (images === 1) return texts;
  throw new DataError(
    `pairs: expected as many texts as pictures, or one for all, got ${images} pictures and ${texts} texts`,
    "similarity(images, texts) compares each with each",
  );
}

/** Rows of several results; a name of no rows is left out. */
class ResultRows {
  readonly #rows: ReadonlyMap<string, Rows>;
  readonly #graphs: Graphs;
  readonly #kind: GraphKind;

  constructor(graphs: Graphs, kind: GraphKind, outputs: readonly string[], count: number) {
    this.#rows = new Map(outputs.map((name) => [name, new Rows(count)]));
    this.#graphs = graphs;
    this.#kind = kind;
  }

  add(found: Readonly<Record<string, Tensor>>, places: readonly number[]): void {
    for (const [name, rows] of this.#rows) rows.add(found[name]!, places);
  }

  tensors(): Results {
    const shapes = this.#graphs.rowShapes(this.#kind);
    return Object.fromEntries([...this.#rows].map(([name, rows]) => [name, rows.tensor(shapes[name]!)]));
  }
}

const cutTokens = (found: Record<string, Tensor>, name: string, length: number): Record<string, Tensor> =>
  found[name] ? { ...found, [name]: cutSecond(found[name], length) } : found;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The first row of each, n times. */
function repeat<F extends Feeds>(feeds: F, n: number): F {
  const rows = Array.from({ length: n }, () => 0);
  return Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, takeRows(t, rows)])) as F;
}

/** Some rows in another order. */
function takeRows(t: Tensor, rows: readonly number[]): Tensor {
  const shape = t.shape.slice(1);
  const step = size(shape);
  const data = allocate(t.dtype, rows.length * step) as Float32Array;
  for (const [i, row] of rows.entries())
    data.set((t.data as Float32Array).subarray(row * step, (row + 1) * step), i * step);
  return { dtype: t.dtype, shape: [rows.length, ...shape], data } as Tensor;
}

function imageSource({ processor }: Encoding, images: Images, signal: AbortSignal | undefined) {
  if (isFeeds<ImageFeeds>(images, "pixel_values")) {
    const { pixel_values } = images;
    return {
      count: pixel_values.shape[0]!,
      feeds: async (places: readonly number[]): Promise<Feeds> => ({ pixel_values: takeRows(pixel_values, places) }),
    };
  }
  const list = listOf(images);
  const options = signal ? { signal } : {};
  return {
    count: list.length,
    feeds: async (places: readonly number[]): Promise<Feeds> => {
      const { pixel_values } = await processor.images(
        places.map((i) => list[i]!),
        options,
      );
      return { pixel_values };
    },
  };
}

const isFeeds = <F>(value: unknown, field: string): value is F =>
  typeof value === "object" && value !== null && field in value;

function textSource(encoding: Encoding, texts: Texts) {
  const { maxPositions, padHidden } = encoding.loaded.model.texts ?? { maxPositions: 1, padHidden: true };
  const { input_ids, attention_mask } = isFeeds<TextFeeds>(texts, "input_ids")
    ? texts
    : textFeeds(encoding, listOf(texts as string));
  const [count, T] = input_ids.shape as [number, number];
  if (T > maxPositions)
    throw new ShapeError(`input_ids: expected at most ${maxPositions} tokens a text, got ${T}`, "cut the texts");
  const mask = attention_mask ?? { ...input_ids, data: new Int32Array(count * T).fill(1) };
  const lengths = Array.from(
    { length: count },
    (_, row) => mask.data.subarray(row * T, (row + 1) * T).lastIndexOf(1) + 1 || T,
  );
  const length = (row: number): number => lengths[row]!;
  return {
    count,
    longest: T,
    length,
    /** Rows of one compiled length; of the whole length T where `whole`. */
    feeds(places: readonly number[], whole: boolean): Feeds {
      const longest = whole ? T : places.reduce((most, i) => Math.max(most, length(i)), 0);
      const to = padHidden ? encoding.graphs.textLength(longest, maxPositions) : T;
      const rows = (from: Tensor<"int32">): Tensor => {
        const data = new Int32Array(places.length * to);
        for (const [i, place] of places.entries())
          data.set(from.data.subarray(place * T, place * T + Math.min(T, to)), i * to);
        return { dtype: "int32", shape: [places.length, to], data };
      };
      return { input_ids: rows(input_ids), attention_mask: rows(mask) };
    },
  };
}

/** Texts as the model was trained to read them: what is cut of them is said. */
export function textFeeds(
  { loaded, processor, texts: options, onWarning }: Encoding,
  texts: readonly string[],
): EncodedTextFeeds {
  const { padHidden = true } = loaded.model.texts ?? {};
  const feeds = processor.texts(texts, padHidden ? options : { padding: "max_length", ...options });
  const cut = feeds.truncated.filter((tokens) => tokens > 0).length;
  if (cut > 0) {
    const first = texts[feeds.truncated.findIndex((tokens) => tokens > 0)]!;
    onWarning(
      `${cut} of ${texts.length} texts were cut to ${options.maxLength ?? processor.maxLength} tokens, the first: ${JSON.stringify(first.slice(0, 60))}`,
    );
  }
  return feeds;
}
