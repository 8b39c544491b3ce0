/** Hidden patches and what the model puts there, with and without the caption (arXiv:2112.04482 §3.2: MIM and MMM). */

import { runOnce } from "../api/run-once.ts";
import type { Pair } from "../evaluators/pair-set.ts";
import { argmax, graph, type Value } from "../graph/index.ts";
import { imageBatch, type MaskedPrediction, pairBatch, pretrainImages, pretrainPairs } from "../models/flava/index.ts";
import { Params } from "../nn/index.ts";
import type { ImageMimStage, JointStage } from "../pretrain/recipe/index.ts";
import type { MaskedPatches } from "../record/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { fromMapped, hatched, picturesOf, withPatches } from "./canvas.ts";
import { decodedWords } from "./codebook.ts";
import type { Drawing } from "./drawing.ts";
import { type Fed, imageFeeds, pairFeeds } from "./feeds.ts";

const SHOWN = 6;

/** After `image-mim`: the image encoder alone. */
export async function imagePatches(drawing: Drawing<ImageMimStage>): Promise<MaskedPatches | undefined> {
  const { context, stage } = drawing;
  const some = drawing.pairs.slice(0, SHOWN);
  const fed = await imageFeeds(context, stage, some);
  const { words, mim } = pretrainImages(new Params(), context.model, imageBatch(context.model, fed.sizes));
  return {
    kind: "masked-patches",
    title: "Hidden patches",
    text: "Held-out pictures: the image encoder sees what is not hatched, and names a visual word for each hatched patch.",
    items: await items(drawing, some, fed, { words, predicted: mim }),
  };
}

/** After `joint`: the picture with patches hidden and its whole caption, through the multimodal encoder. */
export async function pairPatches(drawing: Drawing<JointStage>): Promise<MaskedPatches | undefined> {
  const { context, stage, pairs } = drawing;
  const some = pairs.slice(0, SHOWN);
  const { sizes, feeds } = await pairFeeds(context, stage, some);
  const fed = { sizes, feeds: { ...feeds, input_ids_masked: feeds.input_ids! } };
  const { words, mmm_image } = pretrainPairs(new Params(), context.model, pairBatch(context.model, sizes));
  return {
    kind: "masked-patches",
    title: "Hidden patches beside a caption",
    text: "Held-out pictures: the model reads the whole caption, sees what is not hatched, and names a visual word for each hatched patch.",
    items: await items(drawing, some, fed, { words, predicted: mmm_image }),
  };
}

interface Traced {
  /** int32 (B, P). */
  readonly words: Value;
  readonly predicted: MaskedPrediction;
}

async function items(
  { context, decoder, save }: Drawing,
  pairs: readonly Pair[],
  { feeds }: Fed,
  { words, predicted }: Traced,
): Promise<MaskedPatches["items"]> {
  const g = graph("pictures.patches", { words, guesses: argmax(predicted.logits, 1) });
  const results = await runOnce(context, g, feeds);
  const guessed = filledWords(results.words!, results.guesses!, feeds);
  const decoded = await decodedWords(context, decoder!, guessed);
  const originals = picturesOf(feeds.codebook_pixel_values!, fromMapped);
  const hidden = feeds.bool_masked_pos!.data as Uint8Array;
  const P = hidden.length / pairs.length;
  return Promise.all(
    pairs.map(async ({ caption }, i) => {
      const picture = originals[i]!;
      const mask = hidden.subarray(i * P, (i + 1) * P);
      return {
        original: await save("picture", i, picture),
        masked: await save("masked", i, withPatches(picture, mask, hatched(picture))),
        filled: await save("filled", i, withPatches(picture, mask, decoded[i]!)),
        caption,
      };
    }),
  );
}

/** The true words (B, P) with the guesses (B·K) at the hidden patches. */
function filledWords(words: Tensor, guesses: Tensor, feeds: Fed["feeds"]): Int32Array {
  const [B, P] = words.shape as [number, number];
  const filled = Int32Array.from(words.data as Int32Array);
  const positions = feeds.mim_positions!.data as Int32Array;
  const valid = feeds.mim_position_mask!.data as Uint8Array;
  const K = positions.length / B;
  for (const [i, position] of positions.entries())
    if (valid[i]) filled[Math.floor(i / K) * P + position] = Number(guesses.data[i]!);
  return filled;
}
