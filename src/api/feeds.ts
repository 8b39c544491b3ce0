/** What a model is fed: whole pictures and whole captions, prepared as in use after training. */
import { ConfigError } from "../errors.ts";
import { decodeImage, flavaEvalImage } from "../image/index.ts";
import { type Feeds, size } from "../tensor/index.ts";
import type { Picture } from "./image-input.ts";
import type { LoadedModel } from "./loaded-model.ts";

/**
 * `pixel_values` (B, C, S, S) and `codebook_pixel_values` (B, C, S', S') of whole pictures, decoded one after another, so that no
 * more than one is held as pixels of its own size. Throws DataError for a picture that cannot be decoded, ConfigError where the model
 * sees none.
 */
export async function imageFeeds(
  { model, signal }: Pick<LoadedModel, "model" | "signal">,
  pictures: readonly Picture[],
): Promise<Record<"pixel_values" | "codebook_pixel_values", Feeds[string]>> {
  if (!model.pictures) throw new ConfigError(`${model.family}: expected a model with an image encoder`);
  const { channels, size: side, codebookSize } = model.pictures;
  const shapes = {
    pixel_values: [channels, side, side],
    codebook_pixel_values: [channels, codebookSize, codebookSize],
  };
  const room = (shape: readonly number[]): Float32Array => new Float32Array(pictures.length * size(shape));
  const data = { pixel_values: room(shapes.pixel_values), codebook_pixel_values: room(shapes.codebook_pixel_values) };
  for (const [row, { key, image }] of pictures.entries()) {
    const part = (name: keyof typeof shapes): Float32Array =>
      data[name].subarray(row * size(shapes[name]), (row + 1) * size(shapes[name]));
    const out = { pixel_values: part("pixel_values"), codebook_pixel_values: part("codebook_pixel_values") };
    flavaEvalImage(await decodeImage(image, { key, ...(signal && { signal }) }), { size: side, codebookSize }, out);
  }
  const tensor = (name: keyof typeof shapes): Feeds[string] => ({
    dtype: "float32",
    shape: [pictures.length, ...shapes[name]],
    data: data[name],
  });
  return { pixel_values: tensor("pixel_values"), codebook_pixel_values: tensor("codebook_pixel_values") };
}

/** `input_ids` and `attention_mask` (B, T) of captions, cut and padded to `textLength`. */
export function textFeeds(
  { tokenizer }: Pick<LoadedModel, "tokenizer">,
  captions: readonly string[],
  textLength: number,
): Record<"input_ids" | "attention_mask", Feeds[string]> {
  const length = { maxLength: textLength, padding: "max_length" } as const;
  const { rows, inputIds, attentionMask } = tokenizer.encodeBatch(captions, length);
  const shape = [rows, textLength];
  return {
    input_ids: { dtype: "int32", shape, data: inputIds },
    attention_mask: { dtype: "int32", shape, data: attentionMask },
  };
}
