/** Hidden patches and what the model puts there, with and without the caption (arXiv:2112.04482 §3.2: MIM and MMM). */
import { runOnce } from "../api/index.ts";
import type { PatchMasking } from "../data/index.ts";
import type { Pair } from "../evaluators/index.ts";
import { argmax, graph, type Value } from "../graph/index.ts";
import type { MaskedPrediction } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import type { MaskedPatches } from "../record/index.ts";
import { fromMapped, hatched, picturesOf, withPatches } from "./canvas.ts";
import { decodedWords } from "./codebook.ts";
import type { Drawing } from "./drawing.ts";
import { type Fed, maskedPairs, maskedPictures, type PairMasks } from "./feeds.ts";
import { filledWords } from "./filled-words.ts";

const SHOWN = 6;

/** By the image encoder alone; undefined without a decoder, or where the model has no such head. */
export async function imagePatches(drawing: Drawing, masking: PatchMasking): Promise<MaskedPatches | undefined> {
  const { context, decoder } = drawing;
  const { masked } = context.model;
  if (!decoder || !masked?.image) return undefined;
  const some = drawing.pairs.slice(0, SHOWN);
  const fed = await maskedPictures(context, masking, some);
  const { words, image } = masked.image(new Params(), fed.sizes);
  return {
    kind: "masked-patches",
    title: "Hidden patches",
    text: "Held-out pictures: the image encoder sees what is not hatched, and names a visual word for each hatched patch.",
    items: await items(drawing, decoder, some, fed, { words, predicted: image }),
  };
}

/**
 * By the multimodal encoder: the picture with patches hidden and its whole caption. Undefined without a decoder, or where the model
 * has no such head.
 */
export async function pairPatches(drawing: Drawing, masks: PairMasks): Promise<MaskedPatches | undefined> {
  const { context, decoder, pairs } = drawing;
  const { masked } = context.model;
  if (!decoder || !masked) return undefined;
  const some = pairs.slice(0, SHOWN);
  const { sizes, feeds } = await maskedPairs(context, masks, some);
  const fed = { sizes, feeds: { ...feeds, input_ids_masked: feeds.input_ids! } };
  const { words, image } = masked.pair(new Params(), sizes);
  if (!words || !image) return undefined;
  return {
    kind: "masked-patches",
    title: "Hidden patches beside a caption",
    text: "Held-out pictures: the model reads the whole caption, sees what is not hatched, and names a visual word for each hatched patch.",
    items: await items(drawing, decoder, some, fed, { words, predicted: image }),
  };
}

interface Traced {
  /** int32 (B, P). */
  readonly words: Value;
  readonly predicted: MaskedPrediction;
}

async function items(
  { context, save }: Drawing,
  decoder: NonNullable<Drawing["decoder"]>,
  pairs: readonly Pair[],
  { feeds }: Fed,
  { words, predicted }: Traced,
): Promise<MaskedPatches["items"]> {
  const g = graph("pictures.patches", { words, guesses: argmax(predicted.logits, 1) });
  const results = await runOnce(context, g, feeds);
  const guessed = filledWords(results.words!, results.guesses!, feeds);
  const decoded = await decodedWords(context, decoder, guessed);
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
