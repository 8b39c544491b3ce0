/** Where each word of a caption looks: the last multimodal layer's attention from text tokens to patches, mean over heads. */

import { runOnce } from "../api/run-once.ts";
import { imageFeeds, textFeeds } from "../evaluators/pair-set.ts";
import { graph, mean, slice, type Value } from "../graph/index.ts";
import { type FlavaConfig, gridSize, multimodalGraph, type PairGraphSizes } from "../models/flava/index.ts";
import type { JointStage } from "../pretrain/recipe/index.ts";
import type { AttentionMaps } from "../record/index.ts";
import { type TextTokenizer, wordsOf } from "../text/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";

type Words = AttentionMaps["items"][number]["words"];

const SHOWN = 4;

/** After `joint`. */
export async function attention(drawing: Drawing<JointStage>): Promise<AttentionMaps> {
  const { context, stage, pairs } = drawing;
  const some = pairs.slice(0, SHOWN);
  const textLength = stage.textLength.pairs;
  const maps = attentionToPatches(context.model, { batch: some.length, textLength });
  const texts = textFeeds(
    context,
    some.map(({ caption }) => caption),
    textLength,
  );
  const feeds = { ...(await imageFeeds(context, some)), ...texts };
  const results = await runOnce(context, graph("pictures.attention", { maps }), feeds);
  const files = await saveSeen(drawing, some);
  const side = gridSize(context.model.image);
  const row = (b: number): number => b * textLength * side * side;
  return {
    kind: "attention",
    title: "Where the words look",
    text: "Attention of the last multimodal layer from each word of a held-out caption to the patches of its picture, averaged over heads: coloured where it is more than evenly spread.",
    items: some.map((pair, b) => ({
      image: files.get(pair)!,
      grid: [side, side] as const,
      words: wordMaps(
        context.tokenizer,
        (texts.input_ids!.data as Int32Array).subarray(b * textLength, (b + 1) * textLength),
        (results.maps!.data as Float32Array).subarray(row(b), row(b + 1)),
      ),
    })),
  };
}

/** Text tokens to patches, (B, T, P): a part of each row of the softmax, so a row sums to less than 1. */
export function attentionToPatches(model: FlavaConfig, sizes: PairGraphSizes): Value {
  const { graph: g } = multimodalGraph(model, { ...sizes, attentions: true });
  const all = g.outputs[`multimodal_attentions.${model.multimodal.layers - 1}`]!; // (B, H, M, M)
  const patches = gridSize(model.image) ** 2;
  const first = model.multimodal.clsToken ? 2 : 1; // after CLS_M and the image encoder's CLS
  const tokens = slice(mean(all, [1]), 1, all.shape[2]! - sizes.textLength); // (B, T, M)
  return slice(tokens, 2, first, first + patches);
}

/** The maps of whole words: the mean over the pieces of each. Punctuation is left out. */
function wordMaps(tokenizer: TextTokenizer, ids: Int32Array, maps: Float32Array): Words {
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
