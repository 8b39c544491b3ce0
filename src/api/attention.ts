/** Where each word of a text looks in a picture: the last multimodal layer's attention from text tokens to patches, mean over heads. */
import { type TextTokenizer, wordsOf } from "../text/index.ts";
import { type Encoding, textFeeds } from "./encode.ts";
import type { ImageInput } from "./image-input.ts";
import { tokenizerOf } from "./processor.ts";

/** A word, and how much of its attention goes to each patch, row by row. */
export interface WordAttention {
  readonly text: string;
  /** A part of a softmax: the sum is below 1, and 1 / patches is no more than elsewhere. */
  readonly weights: readonly number[];
}

/** The words of one text over one picture. */
export interface AttentionMap {
  /** Patches: rows, columns. */
  readonly grid: readonly [rows: number, columns: number];
  readonly words: readonly WordAttention[];
}

/** The maps of one pair. Throws CheckpointError for a model without a multimodal encoder. */
export async function attentionMap(
  encoding: Encoding,
  image: ImageInput,
  text: string,
  signal?: AbortSignal,
): Promise<AttentionMap> {
  const { graphs, loaded, processor } = encoding;
  graphs.need("attention", ["maps"]);
  const { input_ids, attention_mask } = textFeeds(encoding, [text]);
  const { pixel_values } = await processor.images([image], signal ? { signal } : {});
  const { maps } = await graphs.run("attention", { pixel_values, input_ids, attention_mask }, ["maps"], signal);
  const side = Math.sqrt(maps!.shape[2]!);
  return {
    grid: [side, side],
    words: wordAttentions(tokenizerOf(loaded), input_ids.data, maps!.data as Float32Array),
  };
}

/** Of `maps` (T, P), those of whole words: the mean over the pieces of each. Punctuation is left out. */
export function wordAttentions(tokenizer: TextTokenizer, ids: Int32Array, maps: Float32Array): WordAttention[] {
  const P = maps.length / ids.length;
  return wordsOf(ids, tokenizer)
    .map((places) => ({ places, text: tokenizer.decode(places.map((t) => ids[t]!)) }))
    .filter(({ text }) => /[\p{L}\p{N}]/u.test(text))
    .map(({ text, places }) => ({
      text,
      weights: Array.from(
        { length: P },
        (_, i) => places.reduce((sum, t) => sum + maps[t * P + i]!, 0) / places.length,
      ),
    }));
}
