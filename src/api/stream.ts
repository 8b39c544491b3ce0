/** Embeddings of a stream: bounded memory, results in order, failures as values where that is wanted. */
import { FlavaError, settled } from "../errors.ts";
import { type Encoding, encodeImages, encodeTexts } from "./encode.ts";
import type { ImageInput } from "./image-input.ts";
import type { OutputTensor } from "./output.ts";
import type { ImageFeeds } from "./processor.ts";

/** What was embedded. */
export interface Embedded<T> {
  /** Its place in the stream, from 0. */
  readonly index: number;
  readonly input: T;
  /** (E), of length 1. */
  readonly embeds: Float32Array;
  readonly error?: undefined;
}

/** What could not be. */
export interface NotEmbedded<T> {
  readonly index: number;
  readonly input: T;
  readonly embeds?: undefined;
  readonly error: FlavaError;
}

/** What a failure does to a stream, and how it is stopped. */
export interface StreamOptions {
  /** "throw" ends the stream at the first failure, after what came before it (default); "yield" gives it in its place, and the stream goes on. */
  readonly onError?: "throw" | "yield" | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Stream<T> = Iterable<T> | AsyncIterable<T>;

/** One input with what is fed of it. */
interface Prepared<T, F> {
  readonly index: number;
  readonly input: T;
  readonly feeds?: F;
  readonly error?: FlavaError;
}

/**
 * Embeddings of pictures in the order of the stream. At most two batches are held: while one is encoded, the next is read and decoded.
 * Each picture fails alone. Throws DataError, FileError; whatever is not of the kinds in errors.ts is thrown in any case.
 */
export async function* embedImages<T extends ImageInput>(
  encoding: Encoding,
  stream: Stream<T>,
  options: StreamOptions,
): AsyncGenerator<Embedded<T> | NotEmbedded<T>> {
  const { signal } = options;
  encoding.graphs.need("image", ["image_embeds"]);
  const prepare = (input: T): Promise<ImageFeeds> => encoding.processor.images([input], signal ? { signal } : {});
  const run = async (parts: readonly ImageFeeds[]): Promise<OutputTensor> => {
    const [first] = parts;
    const step = first!.pixel_values.data.length;
    const data = new Float32Array(parts.length * step);
    for (const [i, { pixel_values }] of parts.entries()) data.set(pixel_values.data, i * step);
    const pixel_values = {
      dtype: "float32",
      shape: [parts.length, ...first!.pixel_values.shape.slice(1)],
      data,
    } as const;
    return (await encodeImages(encoding, { pixel_values }, { outputs: ["image_embeds"], signal })).image_embeds!;
  };
  yield* embedStream(encoding, stream, { ...options, prepare, run });
}

/** Embeddings of texts in the order of the stream, as `embedImages`. */
export async function* embedTexts(
  encoding: Encoding,
  stream: Stream<string>,
  options: StreamOptions,
): AsyncGenerator<Embedded<string> | NotEmbedded<string>> {
  const { signal } = options;
  encoding.graphs.need("text", ["text_embeds"]);
  const prepare = async (text: string) => text;
  const run = async (texts: readonly string[]) =>
    (await encodeTexts(encoding, texts, { outputs: ["text_embeds"], signal })).text_embeds!;
  yield* embedStream(encoding, stream, { ...options, prepare, run });
}

interface How<T, F> extends StreamOptions {
  prepare(input: T): Promise<F>;
  run(feeds: readonly F[]): Promise<{ row(i: number): Float32Array }>;
}

async function* embedStream<T, F>(
  { loaded }: Encoding,
  stream: Stream<T>,
  { onError = "throw", signal, prepare, run }: How<T, F>,
): AsyncGenerator<Embedded<T> | NotEmbedded<T>> {
  const one = async (input: T, index: number): Promise<Prepared<T, F>> => {
    try {
      return { index, input, feeds: await prepare(input) };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof FlavaError) return { index, input, error };
      throw error;
    }
  };
  const encode = async (part: readonly Prepared<T, F>[]): Promise<(Embedded<T> | NotEmbedded<T>)[]> => {
    const good = part.flatMap((each) => (each.error ? [] : [each]));
    const rows = good.length > 0 ? await run(good.map(({ feeds }) => feeds as F)) : undefined;
    return part.map((each) =>
      each.error
        ? { index: each.index, input: each.input, error: each.error }
        : { index: each.index, input: each.input, embeds: rows!.row(good.indexOf(each)).slice() },
    );
  };
  const give = function* (rows: readonly (Embedded<T> | NotEmbedded<T>)[]): Generator<Embedded<T> | NotEmbedded<T>> {
    for (const row of rows) {
      if (row.error && onError === "throw") throw row.error;
      yield row;
    }
  };
  let running: ReturnType<typeof encode> | undefined;
  for await (const part of inParts(stream, loaded.batchSize)) {
    signal?.throwIfAborted();
    const ready: Prepared<T, F>[] = [];
    for (const { input, index } of part) {
      ready.push(await one(input, index));
      // What came before a failure is still given.
      if (ready.at(-1)!.error && onError === "throw") break;
    }
    if (running) yield* give(await running);
    running = encode(ready);
    void settled(running);
    if (ready.length < part.length) break;
  }
  if (running) yield* give(await running);
}

/** `size` items at a time, with their numbers. */
async function* inParts<T>(stream: Stream<T>, size: number): AsyncGenerator<{ input: T; index: number }[]> {
  let part: { input: T; index: number }[] = [];
  let index = 0;
  for await (const input of stream) {
    part.push({ input, index: index++ });
    if (part.length < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}
