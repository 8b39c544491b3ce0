/**
 * The tiny FLAVA of the golden vectors: its parameters, batches and seven cases, as graphs and feeds for any engine. Expected
 * numbers were measured on Hugging Face's FlavaForPreTraining (transformers 5.18, eager attention) in float64.
 */
import type { Value } from "../../src/graph/index.ts";
import { type BatchSizes } from "../../src/models/model.ts";
import { type FlavaConfig, imageBatch, type ImagePretraining, pairBatch, type PairPretraining, pretrainImages, pretrainPairs, pretrainTexts, textBatch, type TextPretraining, variants } from "../../src/models/flava/index.ts";
import { Params, type ParamSpec, type Taps } from "../../src/nn/index.ts";
import {
  equalWeights,
  type FlavaObjective,
  type LossWeights,
  imageObjective,
  pairObjective,
  type PairObjective,
  textObjective,
} from "../../src/objectives/index.ts";
import { fromNumbers, type Tensor } from "../../src/tensor/index.ts";
import { golden, goldenParameter } from "./numbers.ts";

const INPUT_IDS = [
  [1, 7, 8, 9, 2, 0],
  [1, 10, 11, 2, 0, 0],
  [1, 12, 13, 14, 15, 2],
];
const INPUT_IDS_MASKED = [
  [1, 7, 3, 9, 2, 0],
  [1, 3, 11, 2, 0, 0],
  [1, 12, 13, 3, 21, 2],
];
/** Masked rows and columns (end exclusive) of the 4 × 4 grid of each sample. */
const MASKED_PATCHES = [
  { rows: [0, 2], columns: [1, 3] },
  { rows: [1, 4], columns: [0, 2] },
  { rows: [2, 4], columns: [2, 4] },
] as const;
const MLM_POSITIONS = [[2], [1], [3, 4]];
const MLM_TARGETS = [[8], [10], [14, 15]];

/** The sizes of all cases. The maxima are larger than needed, so that padded positions exist. */
export const tinySizes: BatchSizes = { batch: 3, textLength: 6, maskedPatches: 8, maskedTokens: 3 };

const int32 = (rows: readonly (readonly number[])[]): Tensor =>
  fromNumbers(rows.flat(), [rows.length, rows[0]!.length], "int32");

const bool = (rows: readonly (readonly boolean[])[]): Tensor =>
  fromNumbers(rows.flat().map(Number), [rows.length, rows[0]!.length], "bool");

const padded = (rows: readonly (readonly number[])[], length: number, filler: number): number[][] =>
  rows.map((row) => [...row, ...Array.from({ length: length - row.length }, () => filler)]);

/** Indices of the masked patches of each sample, in reading order. */
export function maskedPatchIndices(): number[][] {
  return MASKED_PATCHES.map(({ rows, columns }) =>
    Array.from({ length: 16 }, (_, i) => i).filter((i) => {
      const [r, c] = [Math.floor(i / 4), i % 4];
      return r >= rows[0] && r < rows[1] && c >= columns[0] && c < columns[1];
    }),
  );
}

/** Every field of the golden batch; `itm_labels` where a case has them. Floats are float64. */
export function tinyBatch(itmLabels?: readonly number[]): Record<string, Tensor> {
  const indices = maskedPatchIndices();
  const fields: Record<string, Tensor> = {
    pixel_values: golden("pixel_values", [3, 3, 32, 32], -2, 2),
    codebook_pixel_values: golden("codebook_pixel_values", [3, 3, 32, 32], 0.1, 0.9),
    bool_masked_pos: bool(indices.map((chosen) => Array.from({ length: 16 }, (_, i) => chosen.includes(i)))),
    mim_positions: int32(padded(indices, tinySizes.maskedPatches, 0)),
    mim_position_mask: bool(
      indices.map((row) => Array.from({ length: tinySizes.maskedPatches }, (_, i) => i < row.length)),
    ),
    input_ids: int32(INPUT_IDS),
    input_ids_masked: int32(INPUT_IDS_MASKED),
    attention_mask: int32(INPUT_IDS.map((row) => row.map((id) => (id === 0 ? 0 : 1)))),
    mlm_positions: int32(padded(MLM_POSITIONS, tinySizes.maskedTokens, 0)),
    mlm_targets: int32(padded(MLM_TARGETS, tinySizes.maskedTokens, -100)),
  };
  if (itmLabels) fields.itm_labels = fromNumbers(itmLabels, [3], "int32");
  return fields;
}

/** One golden case, traced. */
interface Traced {
  readonly params: Params;
  readonly objective: FlavaObjective;
  readonly taps: Taps;
}
export type ImageCase = Traced & { readonly values: ImagePretraining };
export type TextCase = Traced & { readonly values: TextPretraining };
export type PairCase = Traced & { readonly values: PairPretraining; readonly objective: PairObjective };

/** The model that also runs the multimodal encoder in the unmasked pass, so that its states can be looked at. */
export const tinyConfig: FlavaConfig = { ...variants.tiny, skipUnmaskedMultimodalEncoder: false };

export function imageCase(config: FlavaConfig = tinyConfig, sizes: BatchSizes = tinySizes): ImageCase {
  const [params, taps] = [new Params(), new Map<string, Value>()];
  const values = pretrainImages(params, config, imageBatch(config, sizes), taps);
  return { params, taps, values, objective: imageObjective(values) };
}

export function textCase(config: FlavaConfig = tinyConfig, sizes: BatchSizes = tinySizes): TextCase {
  const [params, taps] = [new Params(), new Map<string, Value>()];
  const values = pretrainTexts(params, config, textBatch(sizes), taps);
  return { params, taps, values, objective: textObjective(values) };
}

export function pairCase(
  config: FlavaConfig = tinyConfig,
  sizes: BatchSizes = tinySizes,
  weights: Partial<LossWeights> = {},
): PairCase {
  const [params, taps] = [new Params(), new Map<string, Value>()];
  const values = pretrainPairs(params, config, pairBatch(config, sizes), taps);
  return { params, taps, values, objective: pairObjective(values, { ...equalWeights, ...weights }) };
}

/** The golden parameters for declared specs. */
export const tinyParameters = (specs: Iterable<ParamSpec>): Record<string, Tensor> =>
  Object.fromEntries([...specs].map(({ name, shape }) => [name, goldenParameter(name, shape)]));

/** What a case of pairs expects. */
export interface PairExpectation {
  readonly name: string;
  readonly itmLabels?: readonly number[];
  readonly attentionMask: boolean;
  readonly losses: Readonly<Record<string, number>>;
  readonly total: number;
}

/** The five cases on pairs. */
export const pairExpectations: readonly PairExpectation[] = [
  {
    name: "itm_labels [1,0,1]",
    itmLabels: [1, 0, 1],
    attentionMask: true,
    losses: { itm: 0.5740747773, global_contrastive: 1.3515835323, mmm_image: 3.1454127842, mmm_text: 4.0968943614 },
    total: 9.1679654551,
  },
  {
    name: "itm_labels [1,1,1]",
    itmLabels: [1, 1, 1],
    attentionMask: true,
    losses: { itm: 0.5412667523, global_contrastive: 1.1803085981, mmm_image: 3.0786797567, mmm_text: 3.9611341474 },
    total: 8.7613892544,
  },
  {
    name: "itm_labels [0,0,0]",
    itmLabels: [0, 0, 0],
    attentionMask: true,
    losses: { itm: 0.8843575134, global_contrastive: 1.1803085981, mmm_image: 3.0786797567, mmm_text: 3.9611341474 },
    total: 9.1044800155,
  },
  {
    name: "no itm_labels",
    attentionMask: true,
    losses: { global_contrastive: 1.1803085981, mmm_image: 3.0786797567, mmm_text: 3.9611341474 },
    total: 8.2201225021,
  },
  {
    name: "itm_labels [1,0,1], no attention_mask",
    itmLabels: [1, 0, 1],
    attentionMask: false,
    losses: { itm: 0.5920940078, global_contrastive: 1.5408162461, mmm_image: 3.1525995355, mmm_text: 4.0710218969 },
    total: 9.3565316863,
  },
];
export const imageLoss = 3.1411429118;
export const textLoss = 4.4557670323;

/** The sizes of one case of pairs. */
export const sizesOf = ({ itmLabels, attentionMask }: PairExpectation): BatchSizes => ({
  ...tinySizes,
  attentionMask,
  itmLabels: itmLabels !== undefined,
});
