/** The score matrices of a picture and a text: who reads whom in each multimodal layer, with its four quarters. */
import { CheckpointError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { type Encoding, textFeeds } from "./encode.ts";
import type { ImageInput } from "./image-input.ts";
import { tokenizerOf } from "./processor.ts";
import { runOnce } from "./run-once.ts";

/** One layer's. Rows ask, columns answer; text comes first. */
export interface ScoreMatrix {
  readonly layer: number;
  readonly heads: number;
  /** Rows and columns: tokens of the text and of the picture together. */
  readonly size: number;
  /** (heads, size, size): before the softmax; −∞ in quarters that the layer does not have. */
  readonly scores: Float32Array;
}

/** The matrices of one pair. */
export interface ScoreMatrices {
  /** The pieces of the text, [CLS] and [SEP] among them. */
  readonly words: readonly string[];
  /** Tokens of the picture: those before its patches, such as CLS_M, and the patches, row by row. */
  readonly vision: { readonly before: number; readonly rows: number; readonly columns: number };
  readonly layers: readonly ScoreMatrix[];
}

/** Any score below stands for none: masks leave the most negative float. */
const NONE = -1e30;

/** Throws CheckpointError for a model without a multimodal encoder that reads both at once. */
export async function scoreMatrices(
  encoding: Encoding,
  image: ImageInput,
  text: string,
  signal?: AbortSignal,
): Promise<ScoreMatrices> {
  const { loaded, processor } = encoding;
  const { input_ids, attention_mask } = textFeeds(encoding, [text]);
  const T = input_ids.shape[1]!;
  const made = loaded.model.pair?.({ batch: 1, textLength: T, attentions: true });
  const names = Object.keys(made?.graph.outputs ?? {}).filter((name) => /^multimodal_scores\.\d+$/.test(name));
  const lacking = made?.params.some(({ name }) => !loaded.state.has(name) && name.includes("multimodal"));
  if (made === undefined || names.length === 0 || lacking)
    throw new CheckpointError(
      `${loaded.name ?? "model"}: expected a multimodal encoder whose layers hold picture and text in one sequence, got ${loaded.model.family} without one`,
      loaded.model.lacks?.itm_logits,
    );
  const { pixel_values } = await processor.images([image], signal ? { signal } : {});
  const only = { ...made.graph, outputs: Object.fromEntries(names.map((name) => [name, made.graph.outputs[name]!])) };
  const found = await runOnce(loaded, only, { pixel_values, input_ids, attention_mask });
  const ids = Array.from(input_ids.data).slice(0, Array.from(attention_mask.data).filter((keep) => keep === 1).length);
  const tokenizer = tokenizerOf(loaded);
  const layers = names.map((name, layer) => textFirst(layer, found[name]!, T, ids.length));
  const side = loaded.model.pictures!.grid;
  const before = layers[0]!.size - ids.length - side * side;
  return { words: ids.map((id) => tokenizer.decode([id])), vision: { before, rows: side, columns: side }, layers };
}

/** From (1, H, M, M) with the picture first and T tokens of text, `words` of them no padding, to a matrix with the text first. */
function textFirst(layer: number, { shape, data }: Tensor, T: number, words: number): ScoreMatrix {
  const [, heads, M] = shape as [number, number, number];
  const V = M - T;
  const order = [...Array.from({ length: words }, (_, t) => V + t), ...Array.from({ length: V }, (_, v) => v)];
  const size = order.length;
  const scores = new Float32Array(heads * size * size);
  for (let h = 0; h < heads; h++)
    for (const [r, row] of order.entries())
      for (const [c, column] of order.entries()) {
        const score = Number(data[(h * M + row) * M + column]);
        scores[(h * size + r) * size + c] = score < NONE ? Number.NEGATIVE_INFINITY : score;
      }
  return { layer, heads, size, scores };
}

/** Which quarters of a matrix stand open. */
export interface Quarters {
  readonly textText: boolean;
  readonly textVision: boolean;
  readonly visionText: boolean;
  readonly visionVision: boolean;
}

/** The matrix with only these quarters: what a layer of another kind with the same weights would have. */
export function withQuarters({ scores, size, ...rest }: ScoreMatrix, words: number, open: Quarters): ScoreMatrix {
  const kept = scores.map((score, i) => {
    const [row, column] = [Math.floor(i / size) % size, i % size];
    const [asks, answers] = [row < words ? "text" : "vision", column < words ? "Text" : "Vision"] as const;
    return open[`${asks}${answers}`] ? score : Number.NEGATIVE_INFINITY;
  });
  return { ...rest, size, scores: kept };
}

/** Softmax of each row; a row without scores is all 0. */
export function sharesOf({ scores, size }: Pick<ScoreMatrix, "scores" | "size">): Float32Array {
  const shares = new Float32Array(scores.length);
  for (let start = 0; start < scores.length; start += size) {
    const row = scores.subarray(start, start + size);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    if (most === Number.NEGATIVE_INFINITY) continue;
    const exps = row.map((score) => Math.exp(score - most));
    const sum = exps.reduce((a, b) => a + b, 0);
    shares.set(
      exps.map((e) => e / sum),
      start,
    );
  }
  return shares;
}

/** The mean over heads of (heads, size, size). */
export function meanOfHeads(values: Float32Array, heads: number): Float32Array {
  const one = values.length / heads;
  const out = new Float32Array(one);
  for (let i = 0; i < values.length; i++) out[i % one]! += values[i]! / heads;
  return out;
}

/** How much of their attention text and picture give to each: the mean over rows of the shares that fall into each quarter. */
export function quarterShares(shares: Float32Array, size: number, words: number): Record<keyof Quarters, number> {
  const sums = { textText: 0, textVision: 0, visionText: 0, visionVision: 0 };
  for (let i = 0; i < size * size; i++) {
    const asks = Math.floor(i / size) < words ? "text" : "vision";
    const answers = i % size < words ? "Text" : "Vision";
    sums[`${asks}${answers}`] += shares[i]! / (asks === "text" ? words : size - words);
  }
  return sums;
}
