/** Hidden words and what the model takes them for, with and without the picture (arXiv:2112.04482 §3.2: MLM and MMM). */
import { runOnce } from "../api/index.ts";
import type { TokenMasking } from "../data/index.ts";
import { topK } from "../evaluators/index.ts";
import { graph, softmax, type Value } from "../graph/index.ts";
import { Params } from "../nn/index.ts";
import type { Guess, MaskedWords } from "../record/index.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";
import { type Fed, hiddenTexts, maskedPairs, type PairMasks } from "./feeds.ts";

type Tokens = MaskedWords["items"][number]["tokens"];

const GUESSES = 5;
const SHOWN = 6;
/** Tokens of a text on the page; a packed row of 512 would fill it. */
const MAX_TOKENS = 48;

/** By the text encoder alone; undefined where the model has no such head. */
export async function textWords(
  drawing: Drawing,
  { textLength, masking }: { readonly textLength: number; readonly masking: TokenMasking },
): Promise<MaskedWords | undefined> {
  const { context } = drawing;
  const { masked } = context.model;
  if (!masked?.text) return undefined;
  const fed = await hiddenTexts(context, masking, Math.min(textLength, MAX_TOKENS), drawing.texts.slice(0, SHOWN));
  const texts = await guessed(drawing, fed, masked.text(new Params(), fed.sizes).text.logits);
  return {
    kind: "masked-words",
    title: "Hidden words",
    text: "Held-out texts: the text encoder sees the words that are not coloured, and its first guess stands for each hidden one.",
    items: texts.map((tokens, i) => ({ caption: drawing.texts[i]!, tokens })),
  };
}

/** By the multimodal encoder: the caption with words hidden and its whole picture. Undefined where the model has no such head. */
export async function pairWords(drawing: Drawing, masks: PairMasks): Promise<MaskedWords | undefined> {
  const { context, pairs } = drawing;
  const { masked } = context.model;
  if (!masked) return undefined;
  const some = pairs.slice(0, SHOWN);
  const { sizes, feeds } = await maskedPairs(context, masks, some);
  const hidden = feeds.bool_masked_pos;
  const whole = hidden && { bool_masked_pos: zerosLike("bool", hidden.shape) };
  const { text } = masked.pair(new Params(), sizes);
  const texts = await guessed(drawing, { sizes, feeds: { ...feeds, ...whole } }, text.logits);
  const files = await saveSeen(drawing, some);
  return {
    kind: "masked-words",
    title: "Hidden words beside a picture",
    text: "Held-out captions: the model sees the picture and the words that are not coloured, and its first guess stands for each hidden one.",
    items: texts.map((tokens, i) => ({ image: files.get(some[i]!)!, caption: some[i]!.caption, tokens })),
  };
}

/** The texts of a batch, with the likeliest words at hidden places. */
async function guessed({ context }: Drawing, { feeds }: Fed, logits: Value): Promise<Tokens[]> {
  const results = await runOnce(context, graph("pictures.words", { probabilities: softmax(logits) }), feeds);
  const [B, T] = feeds.input_ids!.shape as [number, number];
  return Array.from({ length: B }, (_, b) => {
    const ids = (feeds.input_ids!.data as Int32Array).subarray(b * T, (b + 1) * T);
    return shown(context.tokenizer, ids, guesses(context.tokenizer, feeds, results.probabilities!, b));
  });
}

/** The guesses of text `b` by the place of the hidden token. */
function guesses(
  tokenizer: TextTokenizer,
  feeds: Fed["feeds"],
  probabilities: Tensor,
  b: number,
): Map<number, Guess[]> {
  const [, K] = feeds.mlm_positions!.shape as [number, number];
  const V = probabilities.shape[1]!;
  const found = new Map<number, Guess[]>();
  for (let k = b * K; k < (b + 1) * K; k++) {
    if (Number(feeds.mlm_targets!.data[k]) < 0) continue;
    const row = (probabilities.data as Float32Array).subarray(k * V, (k + 1) * V);
    const best = topK(row, GUESSES).map((id) => ({ text: tokenizer.token(id), probability: Math.min(1, row[id]!) }));
    found.set(Number(feeds.mlm_positions!.data[k]), best);
  }
  return found;
}

/** The tokens between [CLS] and [SEP]. */
function shown({ special, token }: TextTokenizer, ids: Int32Array, hidden: ReadonlyMap<number, Guess[]>): Tokens {
  const places = [...ids.keys()].filter((t) => ![special.pad, special.cls, special.sep].includes(ids[t]!));
  return places.map((t) => ({ text: token(ids[t]!), ...(hidden.has(t) && { guesses: hidden.get(t)! }) }));
}
