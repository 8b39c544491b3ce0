/** What graphs are fed of whole pictures and whole captions, as plain feeds. */
import { type ImageInput, type LoadedModel, processorOf } from "../../src/api/index.ts";
import type { Feeds } from "../../src/tensor/index.ts";
import type { TextTokenizer } from "../../src/text/index.ts";

/** `pixel_values` and `codebook_pixel_values`. */
export const imageFeeds = async (
  { model }: Pick<LoadedModel, "model">,
  pictures: readonly ImageInput[],
): Promise<Record<"pixel_values" | "codebook_pixel_values", Feeds[string]>> => ({
  ...(await processorOf({ model }).images(pictures)),
});

/** `input_ids` and `attention_mask`, padded to `textLength`. */
export function textFeeds(
  { tokenizer }: { readonly tokenizer: TextTokenizer },
  captions: readonly string[],
  textLength: number,
): Record<"input_ids" | "attention_mask", Feeds[string]> {
  const texts = { vocabSize: tokenizer.vocabSize, maxPositions: textLength, padHidden: true };
  const { input_ids, attention_mask } = processorOf({
    model: { family: "test", parameters: () => [], texts },
    tokenizer,
  }).texts(captions, { padding: textLength });
  return { input_ids, attention_mask };
}
