/** The words that a model puts where a text says `[MASK]`, from the text alone or with a picture beside it. */
import { DataError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { type Encoding, encodePairs, encodeTexts, textFeeds } from "./encode.ts";
import type { ImageInput } from "./image-input.ts";
import { softmax } from "./numbers.ts";
import { tokenizerOf } from "./processor.ts";

/** One word for one mask. */
export interface FilledMask {
  /** Probability among all words. */
  readonly score: number;
  /** Its id. */
  readonly token: number;
  readonly token_str: string;
  /** The text with the word in its place; other masks stay. */
  readonly sequence: string;
}

/** How masks are filled in. */
export interface FillMaskOptions {
  /** The text describes it: the multimodal encoder fills in. */
  readonly image?: ImageInput | undefined;
  /** Words for each mask. Default 5. */
  readonly topK?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** For each `[MASK]` of the text, the likeliest words, best first. Throws DataError where there is none. */
export async function fillMask(
  encoding: Encoding,
  text: string,
  { image, topK = 5, signal }: FillMaskOptions,
): Promise<FilledMask[][]> {
  const { graphs } = encoding;
  const tokenizer = tokenizerOf(encoding.loaded);
  const kind = image === undefined ? "textWords" : "pairWords";
  graphs.need(kind, ["logits"]);
  const feeds = textFeeds(encoding, [text]);
  const ids = [...feeds.input_ids.data];
  const masks = ids.flatMap((id, at) => (id === tokenizer.special.mask ? [at] : []));
  if (masks.length === 0)
    throw new DataError(
      `fill mask: expected a text with [MASK], got ${JSON.stringify(text.slice(0, 80))}${feeds.truncated[0] ? `, of which ${feeds.truncated[0]} tokens were cut off` : ""}`,
    );
  const states = await tokenStates(encoding, feeds, image, signal); // (T, D)
  const D = states.shape[1]!;
  const rows = new Float32Array(masks.length * D);
  for (const [i, at] of masks.entries()) rows.set((states.data as Float32Array).subarray(at * D, (at + 1) * D), i * D);
  const fed = { states: { dtype: "float32", shape: [masks.length, D], data: rows } } as const;
  const { logits } = await graphs.run(kind, fed, ["logits"], signal);
  return masks.map((at, i) => best(tokenizer, ids, at, row(logits!, i), topK));
}

const row = ({ data, shape }: Tensor, i: number): Float32Array =>
  (data as Float32Array).subarray(i * shape[1]!, (i + 1) * shape[1]!);

/** The states of the text's tokens in the encoder that fills in, (T, D). */
async function tokenStates(
  encoding: Encoding,
  feeds: ReturnType<Encoding["processor"]["texts"]>,
  image: ImageInput | undefined,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const T = feeds.input_ids.shape[1]!;
  const states =
    image === undefined
      ? (await encodeTexts(encoding, feeds, { outputs: ["text_embeddings"], signal })).text_embeddings!
      : (await encodePairs(encoding, image, feeds, { outputs: ["multimodal_embeddings"], signal }))
          .multimodal_embeddings!;
  const [, M, D] = states.shape as [number, number, number];
  return { dtype: states.dtype, shape: [T, D], data: states.data.subarray((M - T) * D) };
}

function best(
  tokenizer: TextTokenizer,
  ids: readonly number[],
  at: number,
  logits: Float32Array,
  topK: number,
): FilledMask[] {
  const shares = softmax(logits);
  const ranked = Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]!);
  return ranked.slice(0, topK).map((token) => ({
    score: shares[token]!,
    token,
    token_str: tokenizer.token(token),
    sequence: tokenizer.decode(
      ids.slice(1, ids.lastIndexOf(tokenizer.special.sep)).map((id, i) => (i + 1 === at ? token : id)),
      { skipSpecialTokens: false },
    ),
  }));
}
