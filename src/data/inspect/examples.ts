/** Samples made ready to be looked at: the picture as a model sees it, its caption, and if asked the masks drawn in. */
import { DataError } from "../../errors.ts";
import { type BlockMaskOptions, CLIP_NORM, decodeImage, filledPixels, type Pixels, resize } from "../../image/index.ts";
import { maxMaskTargets, type TextTokenizer } from "../../text/index.ts";
import { createBuilder } from "../batch/builder.ts";
import { allocateRows, type BatchItem, type Field, rowOf } from "../batch/index.ts";
import type { Sample } from "../sources/index.ts";

/** A token of a masked caption. */
export interface ShownToken {
  /** As the model reads it: `[MASK]`, another piece, or its own. */
  readonly text: string;
  /** The piece that is to be predicted, where the token is a target. */
  readonly target: string | undefined;
}

export interface Example {
  readonly key: string;
  readonly caption: string | undefined;
  readonly label: string | undefined;
  /** Absent for texts, and where the picture cannot be decoded. */
  readonly picture: Pixels | undefined;
  /** Why there is no picture. */
  readonly problem: string | undefined;
  /** With masks: the tokens between [CLS] and [SEP]. */
  readonly tokens: readonly ShownToken[] | undefined;
}

export interface MaskView {
  /** Side of the picture in pixels. */
  readonly size: number;
  /** Patches across and their masking. */
  readonly patches: BlockMaskOptions;
  readonly textLength: number;
  readonly wholeWord: boolean;
  readonly tokenizer: TextTokenizer;
  readonly seed: number;
}

/** Decodes samples as training does. With `masks` the training crop is shown, masked patches greyed, tokens masked. */
export async function makeExamples(samples: readonly Sample[], masks?: MaskView): Promise<Example[]> {
  const examples: Example[] = [];
  for (const [i, sample] of samples.entries()) {
    const { key, image, texts, label } = sample;
    let picture: Pixels | undefined;
    let problem: string | undefined;
    try {
      picture = image && (await decodeImage(image, { key, svgSize: 512 }));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      problem = error.message.split("\n")[0];
    }
    const plain = { key, caption: texts?.[0], label: label === undefined ? undefined : String(label), problem };
    examples.push(
      masks ? { ...plain, ...maskedView(sample, i, picture, masks) } : { ...plain, picture, tokens: undefined },
    );
  }
  return examples;
}

function maskedView(
  { key, texts }: Sample,
  ordinal: number,
  picture: Pixels | undefined,
  view: MaskView,
): Pick<Example, "picture" | "tokens"> {
  const item: BatchItem = { key, text: texts?.[0], draw: { seed: view.seed, stream: "examples", epoch: 0, ordinal } };
  return {
    picture: picture && maskedPicture(item, picture, view),
    tokens: texts && maskedTokens(item, view),
  };
}

function maskedPicture(item: BatchItem, picture: Pixels, { size, patches }: MaskView): Pixels {
  const image = { size, codebookSize: 8, augment: {}, mask: patches };
  const [planes, bits] = fill({ kind: "image", image }, item, picture, undefined, ["pixel_values", "bool_masked_pos"]);
  return greyOut(fromPlanes(planes as Float32Array, size), bits as Uint8Array, patches);
}

function maskedTokens(item: BatchItem, { textLength: length, wholeWord, tokenizer }: MaskView): ShownToken[] {
  const text = { length, mask: { wholeWord, maxTargets: maxMaskTargets(length) } };
  const names = ["input_ids_masked", "mlm_labels"];
  const [ids, labels] = fill({ kind: "text", text }, item, undefined, tokenizer, names) as [Int32Array, Int32Array];
  const { pad, cls, sep } = tokenizer.special;
  return Array.from(ids, (id, at) => ({ id, label: labels[at]! }))
    .filter(({ id, label }) => label >= 0 || ![pad, cls, sep].includes(id))
    .map(({ id, label }) => ({ text: tokenizer.token(id), target: label >= 0 ? tokenizer.token(label) : undefined }));
}

/** Some fields of a batch of one. */
function fill(
  build: Parameters<typeof createBuilder>[0],
  item: BatchItem,
  picture: Pixels | undefined,
  tokenizer: TextTokenizer | undefined,
  names: readonly string[],
): (Float32Array | Int32Array | Uint8Array)[] {
  const { fields, encode } = createBuilder(build, tokenizer);
  const rows = allocateRows(fields, 1);
  encode(item, picture, rows, 0);
  return names.map((name) => rowOf(rows, fields.find((field): field is Field => field.name === name)!, 0));
}

/** Undoes the normalisation. */
function fromPlanes(planes: Float32Array, size: number): Pixels {
  const { mean, std } = CLIP_NORM;
  const data = new Uint8Array(planes.length);
  const plane = size * size;
  for (let i = 0; i < plane; i++)
    for (let c = 0; c < 3; c++) data[i * 3 + c] = Math.round(255 * (planes[c * plane + i]! * std[c]! + mean[c]!));
  return { width: size, height: size, data };
}

/** Covers masked patches with a light grey, so that what is under them can still be guessed at, and outlines all patches. */
function greyOut(image: Pixels, mask: Uint8Array, { rows, columns }: BlockMaskOptions): Pixels {
  const data = image.data.slice();
  const { width, height } = image;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = Math.floor((y * rows) / height);
      const column = Math.floor((x * columns) / width);
      const edge = Math.floor(((y - 1) * rows) / height) < row || Math.floor(((x - 1) * columns) / width) < column;
      const masked = mask[row * columns + column] === 1;
      if (!masked && !edge) continue;
      const [grey, share] = masked ? [128, edge ? 1 : 0.85] : [255, 0.25];
      for (let p = (y * width + x) * 3, end = p + 3; p < end; p++) data[p] = data[p]! * (1 - share) + grey * share;
    }
  }
  return { width, height, data };
}

/** The picture inside a square of `side` pixels, its proportions kept, on light grey. */
export function thumbnail(image: Pixels, side: number): Pixels {
  const scale = side / Math.max(image.width, image.height);
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const small = resize(image, width, height, "bicubic");
  const out = filledPixels(side, side, [238, 238, 238]);
  const [left, top] = [(side - width) >> 1, (side - height) >> 1];
  for (let y = 0; y < height; y++)
    out.data.set(small.data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * side + left) * 3);
  return out;
}
