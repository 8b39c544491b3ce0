/** Hidden words and what the model takes them for, with and without the picture (arXiv:2112.04482 §3.2: MLM and MMM). */
import { runOnce } from "../api/index.ts";
import type { TokenMasking } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { type Pair, regionFeeds, regionItem, topK } from "../evaluators/index.ts";
import { graph, softmax, type Value } from "../graph/index.ts";
import { decodeImage, type Pixels, resize } from "../image/index.ts";
import { Params } from "../nn/index.ts";
import type { Guess, MaskedWords } from "../record/index.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";
import { type Fed, hidden, hiddenTexts, maskedPairs, type PairMasks } from "./feeds.ts";

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

/** By a model that reads regions: the caption with words hidden, beside what a detector saw. A picture is shown where there is one. */
export async function regionWords(
  drawing: Drawing,
  choice: Parameters<typeof regionFeeds>[1],
  masking: TokenMasking,
): Promise<MaskedWords | undefined> {
  const { context, save } = drawing;
  const made = regionFeeds(context, choice, hidden(masking));
  const readable = async (pair: Pair): Promise<boolean> =>
    made.feeds([regionItem(pair)]).then(
      () => true,
      (error: unknown) => {
        if (error instanceof DataError) return false; // told by the evaluator
        throw error;
      },
    );
  const some: Pair[] = [];
  for (const pair of drawing.pairs) if (some.length < SHOWN && (await readable(pair))) some.push(pair);
  if (some.length === 0) return undefined;
  const maskedTokens = made.text.mask!.maxTargets;
  const sizes = { batch: some.length, ...made.sizes, maskedPatches: 0, maskedTokens };
  const feeds = await made.feeds(some.map((pair) => regionItem(pair)));
  const { text } = context.model.masked!.pair(new Params(), sizes);
  const texts = await guessed(drawing, { sizes, feeds }, text.logits);
  const images = await Promise.all(
    some.map(async ({ key, image }, i) =>
      image.length === 0 ? undefined : save("seen", i, small(await decodeImage(image, { key }))),
    ),
  );
  return {
    kind: "masked-words",
    title: "Hidden words beside regions",
    text: "Held-out captions: the model sees what a detector or a grid says of the picture and the words that are not coloured, and its first guess stands for each hidden one.",
    items: texts.map((tokens, i) => ({
      ...(images[i] !== undefined && { image: images[i] }),
      caption: some[i]!.caption,
      tokens,
    })),
  };
}

/** A large picture at the size in which it is shown. */
function small(picture: Pixels): Pixels {
  const scale = SIDE / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  const to = (side: number): number => Math.max(1, Math.round(side * scale));
  return resize(picture, to(picture.width), to(picture.height), "bicubic");
}

/** Pixels along the longer side of a picture on the page. */
const SIDE = 144;

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
