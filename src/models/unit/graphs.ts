/** Whole graphs for using a trained UniT: one for each of its tasks, and its encoders as one task has them. */
import { concat, input, mean, softmax, type Value } from "../../graph/index.ts";
import { l2Normalize, Params } from "../../nn/index.ts";
import {
  type ImageGraphSizes,
  type ModelGraph,
  modelGraph,
  type PairGraphSizes,
  type TextGraphSizes,
} from "../model.ts";
import { tokenSide, type UnitConfig, type UnitTask } from "./config.ts";
import {
  imagePositions,
  joinedMemory,
  type TextInputs,
  textPositions,
  unitBackbone,
  unitBoxes,
  unitDecode,
  unitImageMemory,
  unitLabels,
  unitStates,
  unitText,
  unitTextMemory,
} from "./model.ts";

/** The task that says whether a text belongs to a picture, where a model has it: its label 1 is "matched". */
export const MATCHING = "matching";

/** That task, else the first that reads pictures, or texts; undefined where none does. */
export const taskThatReads = ({ tasks }: UnitConfig, what: "pictures" | "texts"): UnitTask | undefined =>
  tasks[MATCHING] ?? Object.values(tasks).find(({ kind }) => kind !== (what === "pictures" ? "glue" : "detection"));

/**
 * `pixel_values` (B, C, H, W), of any size → `image_embeddings` (B, 1 + P, D): the encoder's states as the decoder reads them for the first
 * task that reads pictures, their mean first, `pooler_output` (B, D): the mean, and `image_mm`: the states without it.
 */
export function unitImageGraph(config: UnitConfig, task: UnitTask, sizes: ImageGraphSizes): ModelGraph {
  const p = new Params();
  const { states } = unitImageMemory(p, config, task, { features: unitBackbone(p, config, pixelsOf(config, sizes)) });
  const image_embeddings = concat([mean(states, [1], { keep: true }), states], 1);
  return modelGraph("unit.image", p, { image_embeddings, pooler_output: mean(states, [1]), image_mm: states });
}

/** `input_ids` (B, T) and `attention_mask` → `text_embeddings` (B, T, D), as the first task that reads texts has them. */
export function unitTextGraph(config: UnitConfig, task: UnitTask, sizes: TextGraphSizes): ModelGraph {
  const p = new Params();
  const { states } = unitText(p, config, task, textOf(sizes, false));
  return modelGraph("unit.text", p, { text_embeddings: states, text_mm: states });
}

/**
 * The task "matching" on what both encoders gave: `image_mm` (B, P, D), `text_mm` (B, T, D') and `attention_mask` → `itm_logits` (B, 2).
 */
export function unitFusionGraph(config: UnitConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const { batch, textLength: T, height = config.image.imageSize, width = config.image.imageSize } = sizes;
  const side = tokenSide(config.image);
  const [h, w] = [height / side, width / side];
  const states = input("image_mm", [batch, h * w, config.decoder.hiddenSize]);
  const image = { states, positions: imagePositions(p, config, { batch, h, w }) };
  const text = unitTextMemory(p, config, config.tasks[MATCHING]!, {
    states: input("text_mm", [batch, T, config.text.hiddenSize]),
    positions: textPositions(p, config, T),
    keep: input("attention_mask", [batch, T], "int32"),
  });
  const queries = unitDecode(p, config, MATCHING, joinedMemory([image, text])).at(-1)!;
  return modelGraph("unit.fusion", p, { itm_logits: unitLabels(p, config, MATCHING, queries) });
}

/** `pixel_values` → `features` (B, D), of length 1. */
export function unitFeatures(config: UnitConfig, task: UnitTask, batch: number, scope = ""): ModelGraph {
  const root = new Params();
  const p = scope === "" ? root : root.at(scope);
  const features = unitBackbone(p, config, pixelsOf(config, { batch }));
  const { states } = unitImageMemory(p, config, task, { features });
  return modelGraph("unit.features", root, { features: l2Normalize(mean(states, [1])) });
}

/**
 * One task: of detection `logits` (B, Q, labels + 1), `scores` (their softmax) and `boxes` (B, Q, 4), else `logits` (B, labels). It
 * reads `pixel_values` unless it is a glue task, and `input_ids`, `attention_mask` and `token_type_ids` unless it is detection.
 */
export function unitTaskGraph(config: UnitConfig, name: string, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const { kind } = config.tasks[name]!;
  const states = unitStates(p, config, name, {
    ...(kind !== "glue" && { pixels: pixelsOf(config, sizes) }),
    ...(kind !== "detection" && { text: textOf(sizes, true) }),
  }).at(-1)!;
  if (kind !== "detection") return modelGraph(`unit.${name}`, p, { logits: unitLabels(p, config, name, states) });
  const { logits, boxes } = unitBoxes(p, config, name, states);
  return modelGraph(`unit.${name}`, p, { logits, scores: softmax(logits), boxes });
}

function pixelsOf({ image }: UnitConfig, { batch, height, width }: ImageGraphSizes): Value {
  return input("pixel_values", [batch, image.channels, height ?? image.imageSize, width ?? image.imageSize]);
}

function textOf({ batch, textLength }: TextGraphSizes, types: boolean): TextInputs {
  const places = (name: string): Value => input(name, [batch, textLength], "int32");
  return {
    ids: places("input_ids"),
    keep: places("attention_mask"),
    ...(types && { types: places("token_type_ids") }),
  };
}
