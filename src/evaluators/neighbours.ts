/** Which of some words a text encoder puts nearest to a word: what it has made of words that no caption has. */
import type { FlavaModel } from "../api/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { isKnownWord, textWords } from "../text/index.ts";
import { scores, topK } from "./retrieval.ts";

/**
 * What stands for a text: `text_embeds`, its row in the contrastive space; or `mean`, the mean of the text encoder's last hidden state over
 * the text's tokens without [CLS] and [SEP]. The mean is for an encoder that was trained by masked words alone: nothing has trained its
 * [CLS] or a projection.
 */
export type TextVector = "text_embeds" | "mean";

/** A word and those nearest to it. */
export interface Neighbours {
  readonly word: string;
  /** Nearest first; none where the vocabulary spells no part of the word. */
  readonly neighbours: readonly { readonly text: string; readonly cosine: number }[];
}

/** What words are compared with, and how. */
export interface NeighbourOptions {
  /** The candidates; those that the vocabulary cannot spell are left out, and so is the word itself. */
  readonly among: readonly string[];
  readonly top: number;
  /** `text_embeds` where the model gives them, unless said. */
  readonly by?: TextVector | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a model has for texts: their place in the contrastive space, else the mean of their tokens. */
export const textVectorOf = (model: FlavaModel): TextVector => (model.gives("text_embeds") ? "text_embeds" : "mean");

/** The nearest candidates of each word by cosine. Throws CheckpointError for a model without a text encoder. */
export async function nearestWords(
  model: FlavaModel,
  words: readonly string[],
  { among, top, by = textVectorOf(model), signal }: NeighbourOptions,
): Promise<Neighbours[]> {
  const { tokenizer } = model.processor;
  const readable = (text: string): boolean =>
    tokenizer === undefined || textWords(text).some((word) => isKnownWord(tokenizer, word));
  const candidates = [...new Map(among.filter(readable).map((text) => [plain(text), text])).values()];
  const asked = words.filter(readable);
  if (asked.length === 0 || candidates.length === 0) return words.map((word) => ({ word, neighbours: [] }));
  const [rows, columns] = [await vectorsOf(model, asked, by, signal), await vectorsOf(model, candidates, by, signal)];
  const scored = scores(rows, columns);
  return words.map((word) => {
    const at = asked.indexOf(word);
    if (at < 0) return { word, neighbours: [] };
    const row = scored.slice(at * candidates.length, (at + 1) * candidates.length);
    const found = topK(row, top + 1).filter((c) => plain(candidates[c]!) !== plain(word));
    return { word, neighbours: found.slice(0, top).map((c) => ({ text: candidates[c]!, cosine: row[c]! })) };
  });
}

const plain = (text: string): string => textWords(text.toLowerCase()).join(" ");

/** Texts that are embedded together: what is held of a mean's tokens. */
const PART = 256;

/** Rows of length 1: (N, E). */
async function vectorsOf(
  model: FlavaModel,
  texts: readonly string[],
  by: TextVector,
  signal: AbortSignal | undefined,
): Promise<Tensor<"float32">> {
  if (by === "text_embeds") return (await model.encodeText(texts, { outputs: [by], signal })).text_embeds;
  const parts: Tensor<"float32">[] = [];
  for (let first = 0; first < texts.length; first += PART)
    parts.push(await meansOf(model, texts.slice(first, first + PART), signal));
  const width = parts[0]!.shape[1]!;
  const data = new Float32Array(texts.length * width);
  for (const [i, part] of parts.entries()) data.set(part.data, i * PART * width);
  return { dtype: "float32", shape: [texts.length, width], data };
}

/** Means over each text's own tokens, of length 1. */
async function meansOf(
  model: FlavaModel,
  texts: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Tensor<"float32">> {
  const feeds = model.processor.texts(texts);
  const { text_embeddings } = await model.encodeText(feeds, { outputs: ["text_embeddings"], signal });
  const [N, T, D] = text_embeddings.shape as [number, number, number];
  const data = new Float32Array(N * D);
  for (let n = 0; n < N; n++) {
    const sum = data.subarray(n * D, (n + 1) * D);
    const end = lengthOf(feeds.attention_mask, n) - 1;
    for (let t = 1; t < end; t++)
      for (let d = 0; d < D; d++) sum[d] = sum[d]! + Number(text_embeddings.data[(n * T + t) * D + d]);
    const norm = Math.hypot(...sum);
    for (let d = 0; d < D; d++) sum[d] = sum[d]! / (norm || 1);
  }
  return { dtype: "float32", shape: [N, D], data };
}

/** Tokens of a row, [CLS] and [SEP] included. */
function lengthOf({ shape, data }: Tensor<"int32">, row: number): number {
  const T = shape[1]!;
  return data.subarray(row * T, (row + 1) * T).reduce((sum, one) => sum + one, 0);
}
