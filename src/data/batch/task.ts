/** Batches of fine-tuning: pictures without masks, texts or pairs of texts as one, and what is to be learned of them. */
import { DataError } from "../../errors.ts";
import { type FlavaImageOut, flavaEvalImage, flavaTrainImage } from "../../image/index.ts";
import { random } from "../../tensor/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { labelFields } from "./image.ts";
import { type Field, rowOf } from "./rows.ts";
import type { Part, TaskBuild } from "./types.ts";

/** The fields of a task's batches. */
export function taskFields({ image, text, target }: TaskBuild, words: () => TextTokenizer): Part[] {
  return [
    ...(image ? [pixelFields(image)] : []),
    ...(text ? [tokenFields(text, words())] : []),
    ...(target ? [targetFields(target)] : []),
  ];
}

/** `pixel_values` (B, 3, S, S): as published, or as `whole` says; in training with a random crop and flip where asked for. */
function pixelFields({ size, whole, augment }: NonNullable<TaskBuild["image"]>): Part {
  const field: Field = { name: "pixel_values", dtype: "float32", shape: [3, size, size] };
  const codebookSize = 8; // the branch that no task reads, as small as it gets
  const unread = new Float32Array(3 * codebookSize * codebookSize);
  const encode: Part["encode"] = ({ key, draw }, pixels, rows, row) => {
    if (pixels === undefined) throw new DataError(`${key}: the image is missing`);
    const out: FlavaImageOut = { pixel_values: rowOf(rows, field, row), codebook_pixel_values: unread };
    if (augment === null) {
      const { codebookCropSize: _, ...options } = whole ?? { size };
      return void flavaEvalImage(pixels, { ...options, codebookSize }, out);
    }
    const { crop = { scale: [0.9, 1] }, flip = 0 } = augment;
    const rng = random(draw.seed, `crop:${draw.stream}`, draw.epoch, draw.ordinal);
    const { norm } = whole ?? {};
    flavaTrainImage(pixels, { size, codebookSize, crop, flip, ...(norm && { norm }) }, rng, out);
  };
  return { fields: [field], encode };
}

/** `input_ids` and `attention_mask` (B, T), and for pairs of texts `token_type_ids`. */
function tokenFields({ length, pairs }: NonNullable<TaskBuild["text"]>, tokenizer: TextTokenizer): Part {
  const field = (name: string): Field => ({ name, dtype: "int32", shape: [length] });
  const [ids, mask, types] = [field("input_ids"), field("attention_mask"), field("token_type_ids")];
  const encode: Part["encode"] = ({ key, text, second }, _pixels, rows, row) => {
    if (text === undefined || (pairs && second === undefined)) throw new DataError(`${key}: the text is missing`);
    const encoded = tokenizer.encode(text, {
      maxLength: length,
      padding: "max_length",
      ...(pairs && { pair: second }),
    });
    rowOf<Int32Array>(rows, ids, row).set(encoded.inputIds);
    rowOf<Int32Array>(rows, mask, row).set(encoded.attentionMask);
    if (pairs) rowOf<Int32Array>(rows, types, row).set(encoded.tokenTypeIds);
  };
  return { fields: pairs ? [ids, mask, types] : [ids, mask], encode };
}

function targetFields(target: NonNullable<TaskBuild["target"]>): Part {
  if (target.kind === "classes") return labelFields(target.names);
  return target.kind === "number" ? numberFields(target) : scoreFields(target.count);
}

/** `targets` (B): (label − mean) / scale. */
function numberFields({ mean, scale }: { readonly mean: number; readonly scale: number }): Part {
  const field: Field = { name: "targets", dtype: "float32", shape: [] };
  const encode: Part["encode"] = ({ key, label }, _pixels, rows, row) => {
    if (!Number.isFinite(Number(label)))
      throw new DataError(`${key}: expected a number as label, got ${JSON.stringify(label)}`);
    rowOf<Float32Array>(rows, field, row)[0] = (Number(label) - mean) / scale;
  };
  return { fields: [field], encode };
}

/** `scores` (B, C), from a label such as "12:1 30:0.6"; all other answers are worth nothing. */
function scoreFields(count: number): Part {
  const field: Field = { name: "scores", dtype: "float32", shape: [count] };
  const encode: Part["encode"] = ({ key, label = "" }, _pixels, rows, row) => {
    const scores = rowOf<Float32Array>(rows, field, row).fill(0);
    for (const one of String(label).split(" ").filter(Boolean)) {
      const [answer, score = Number.NaN] = one.split(":").map(Number) as [number, number?];
      if (!(Number.isInteger(answer) && answer >= 0 && answer < count && Number.isFinite(score)))
        throw new DataError(
          `${key}: expected answers as number:score of the ${count} that the model knows, such as "12:1 30:0.6", got ${JSON.stringify(String(label).slice(0, 40))}`,
        );
      scores[answer] = score;
    }
  };
  return { fields: [field], encode };
}
