/** Where each word of a caption looks: the last multimodal layer's attention from text tokens to patches, mean over heads. */
import { processorOf, runOnce, wordAttentions } from "../api/index.ts";
import type { AttentionMaps } from "../record/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";
import { picturesOf } from "./feeds.ts";

const SHOWN = 4;

/** Undefined where the model has no multimodal encoder. `textLength` counts the tokens of a caption. */
export async function attention(drawing: Drawing, textLength: number): Promise<AttentionMaps | undefined> {
  const { context, pairs } = drawing;
  const some = pairs.slice(0, SHOWN);
  const asked = context.model.attention?.({ batch: some.length, textLength });
  if (!asked) return undefined;
  const processor = processorOf(context);
  const captions = some.map(({ caption }) => caption);
  const { input_ids, attention_mask } = processor.texts(captions, { padding: textLength });
  const feeds = { ...(await processor.images(some)), input_ids, attention_mask };
  const results = await runOnce(context, asked.graph, feeds);
  const files = await saveSeen(drawing, some);
  const side = picturesOf(context).grid;
  const row = (b: number): number => b * textLength * side * side;
  return {
    kind: "attention",
    title: "Where the words look",
    text: "Attention of the last multimodal layer from each word of a held-out caption to the patches of its picture, averaged over heads: coloured where it is more than evenly spread.",
    items: some.map((pair, b) => ({
      image: files.get(pair)!,
      caption: pair.caption,
      grid: [side, side] as const,
      words: wordAttentions(
        context.tokenizer,
        input_ids.data.subarray(b * textLength, (b + 1) * textLength),
        (results.maps!.data as Float32Array).subarray(row(b), row(b + 1)),
      ),
    })),
  };
}
